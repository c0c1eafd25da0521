/**
 * The rows that a run's model finds hardest, and a run without those that are chosen.
 *
 * @import { Dataset, OddRows, Run } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { OddRowsTable } from "../../components/data/odd-rows.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { ErrorNotice } from "../../components/notice.js";
import { Segmented } from "../../components/segmented.js";
import * as format from "../../format.js";
import * as api from "../../server/api.js";
import { NO_FILTER } from "../../stores/board-filter.js";
import { rowsOfCause } from "../../stores/inside.js";

const MOST_RUNS = 100;
/** @type {[OddRows["cause"], string][]} */
const CAUSES = [
  ["training", "Learned from"],
  ["evaluation", "Tested on"],
];

/** @param {{ dataset: Dataset, wanted: string | null }} props wanted: a run's id, from the link */
export function HardestRows({ dataset, wanted }) {
  const { value: listed, error } = useLatest(dataset.id, () => api.listRuns(NO_FILTER, MOST_RUNS, null));
  const chosen = useSignal(wanted);
  const runs = (listed.value?.items ?? []).filter(({ config }) => config.dataset === dataset.id);
  const run = runs.find(({ id }) => id === chosen.value) ?? runs[0];
  if (error.value) return html`<${ErrorNotice} error=${error.value} />`;
  if (!run) return null;
  return html`
    <section class="card" id="hardest" aria-labelledby="hardest-title">
      <div class="card-head">
        <h2 id="hardest-title">Hardest rows</h2>
        <label class="push inline">
          <span>Run</span>
          <select
            value=${run.id}
            onChange=${(/** @type {Event} */ event) => (chosen.value = /** @type {HTMLSelectElement} */ (event.target).value)}
          >
            ${runs.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
          </select>
        </label>
      </div>
      <${OfRun} key=${run.id} run=${run} />
    </section>
  `;
}

/** @param {{ run: Run }} props */
function OfRun({ run }) {
  const cause = useSignal(/** @type {OddRows["cause"]} */ ("training"));
  const { value: told, error } = useLatest(run.id, () => api.getOddRows(run.id));
  const latest = told.value && rowsOfCause(told.value.items, cause.value)[0];
  return html`
    <${ErrorNotice} error=${error.value} />
    <div class="actions">
      <${Segmented}
        label="Which rows"
        name="hardest-cause"
        options=${CAUSES}
        value=${cause.value}
        onChange=${(/** @type {OddRows["cause"]} */ value) => (cause.value = value)}
      />
    </div>
    ${told.value &&
    (latest
      ? html`
          <p class="muted">
            ${cause.value === "training"
              ? `As each was when it was learned, until step ${format.count(latest.step)}.`
              : `As the model was at step ${format.count(latest.step)}.`}
            ${" "}A row stands the higher the further its loss is above the usual and the longer it is. Odd ones may be broken;
            others are just hard, and worth keeping.
          </p>
          <${OddRowsTable} key=${cause.value} run=${run} rows=${latest.rows} label="Hardest rows" />
        `
      : html`<p class="muted">${run.name} has told of none: it has not come to an evaluation that would.</p>`)}
  `;
}
