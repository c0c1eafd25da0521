/** @import { RunStore } from "../../run-store.js" */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import * as format from "../../format.js";

/** What the model wrote at each check, latest first. @param {{ store: RunStore }} props */
export function Samples({ store }) {
  const latestFirst = useComputed(() => [...store.samples.value].sort((a, b) => b.step - a.step));
  return html`
    <section class="card">
      <div class="card-head"><h2>What it writes</h2></div>
      ${latestFirst.value.length === 0 && html`<p class="muted">At every check the model continues a prompt; it appears here.</p>`}
      <ol class="samples" tabindex="0" aria-label="Samples, latest first">
        ${latestFirst.value.map(
          ({ step, prompt, text }) => html`
            <li key=${`${step} ${prompt}`}>
              <span class="tag">${step === 0 ? "before training" : `step ${format.count(step)}`}</span>
              <p><span class="muted">${prompt}</span>${text}</p>
            </li>
          `,
        )}
      </ol>
    </section>
  `;
}
