/**
 * @import { Run } from "../../../types.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { OddRowsTable } from "../../../components/data/odd-rows.js";
import * as format from "../../../format.js";
import { datasetLink } from "../../../router.js";
import { rowsOfCause } from "../../../stores/inside.js";

const FEW = 3;
const MOST = 5;

/** The rows around each spike of the loss, the latest spike first. @param {{ store: RunStore }} props */
export function Spikes({ store }) {
  const spikes = rowsOfCause(store.inside.rows.value, "spike").slice(0, MOST);
  const dataset = useComputed(() => /** @type {Run} */ (store.run.value).config.dataset).value;
  const hardest = store.inside.rows.value.some(({ cause }) => cause !== "spike");
  if (spikes.length === 0 && !hardest) return null;
  const run = /** @type {Run} */ (store.run.peek());
  return html`
    <section class="inside-part" aria-labelledby="spikes-title">
      <h3 id="spikes-title">Rows that stood out</h3>
      ${spikes.length > 0
        ? html`<p class="muted">At each of these updates the loss jumped. These rows lifted it, in it or just before, the likeliest cause first.</p>`
        : html`<p class="muted">The loss has not jumped.</p>`}
      ${spikes.map(
        ({ step, rows }) => html`
          <div key=${step}>
            <h4>Step ${format.count(step)}</h4>
            <${OddRowsTable} run=${run} rows=${rows} few=${FEW} label=${`Rows around step ${step}`} />
          </div>
        `,
      )}
      ${hardest &&
      html`<p><a href=${`${datasetLink(String(dataset))}?run=${encodeURIComponent(run.id)}`}>The rows that this model finds hardest</a></p>`}
    </section>
  `;
}
