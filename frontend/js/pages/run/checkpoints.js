/** @import { RunStore } from "../../run-store.js" */
import { html } from "htm/preact";
import * as format from "../../format.js";
import { playgroundLink } from "../../router.js";

/** The models on disk. @param {{ store: RunStore }} props */
export function Checkpoints({ store }) {
  const checkpoints = [...store.checkpoints.value].sort((a, b) => b.step - a.step);
  return html`
    <section class="card">
      <div class="card-head"><h2>Checkpoints</h2></div>
      ${checkpoints.length === 0 && html`<p class="muted">Saved states of the model; each can be tried in the playground.</p>`}
      <ul class="checkpoints">
        ${checkpoints.map(
          ({ name, kind, step, bytes, path, model, validation_loss: loss }) => html`
            <li key=${name} title=${path}>
              <span class="tag" data-kind=${kind}>${kind}</span>
              <span>step ${format.count(step)}</span>
              <span class="muted">${loss == null ? "" : `loss ${format.loss(loss)} · `}${format.bytes(bytes)}</span>
              <a class="push" href=${playgroundLink(model)} aria-label=${`Try ${kind} checkpoint of step ${step}`}>Try it</a>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
