/**
 * @import { Checkpoint } from "../../types.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import * as format from "../../format.js";
import { checkpointsLink, microscopeLink, playgroundLink } from "../../router.js";
import { comparisonFor, modelsByStep } from "../../stores/playground/run-models.js";

/** The models on disk. @param {{ store: RunStore }} props */
export function Checkpoints({ store }) {
  const checkpoints = [...store.checkpoints.value].sort((a, b) => b.step - a.step);
  const best = useComputed(() => store.run.value?.best_validation_loss ?? null).value;
  return html`
    <section class="card" data-part="checkpoints">
      <div class="card-head"><h2>Checkpoints</h2></div>
      ${checkpoints.length === 0 && html`<p class="muted">Saved states of the model; each can be tried in the playground.</p>`}
      <ul class="checkpoints">
        ${checkpoints.map((checkpoint) => html`<${Row} key=${checkpoint.name} run=${store.id} checkpoint=${checkpoint} best=${best} />`)}
      </ul>
      <${Trials} store=${store} />
    </section>
  `;
}

/** What they can be tried on together. @param {{ store: RunStore }} props */
function Trials({ store }) {
  const run = store.run.value;
  const comparison = run && comparisonFor(run, store.checkpoints.value);
  const several = modelsByStep(store.checkpoints.value).length > 1;
  if (!comparison && !several) return null;
  return html`
    <div class="actions">
      ${comparison && html`<a class="button small" href=${playgroundLink(...comparison.models)}>Compare with ${comparison.other}</a>`}
      ${several && html`<a class="button small" href=${checkpointsLink(store.id)} title="One prompt at each checkpoint">Slide through them</a>`}
    </div>
  `;
}

/** @param {{ run: string, checkpoint: Checkpoint, best: number | null }} props best: the run's lowest validation loss */
function Row({ run, checkpoint: { name, kind, step, bytes, path, model, validation_loss: loss }, best }) {
  // What was best when it was saved may have been bettered since.
  const word = kind === "best" && loss != null && best !== null && loss > best ? "earlier best" : kind;
  return html`
    <li title=${path}>
      <span class="tag" data-kind=${word}>${word}</span>
      <span>step ${format.count(step)}</span>
      <span class="muted">${loss == null ? "" : `loss ${format.loss(loss)} · `}${format.bytes(bytes)}</span>
      ${model &&
      html`<a
        class="push"
        href=${`${microscopeLink(run)}?checkpoint=${kind === "final" ? "final" : encodeURIComponent(name)}`}
        aria-label=${`A training step of the ${word} checkpoint of step ${step} under the microscope`}
      >Look inside</a>`}
      ${model && html`<a href=${playgroundLink(model)} aria-label=${`Try the ${word} checkpoint of step ${step}`}>Try it</a>`}
    </li>
  `;
}
