/** @import { BoardStore } from "../../stores/board-store.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { Check } from "../../components/check.js";
import { ConfirmButton } from "../../components/confirm-button.js";
import { Notice } from "../../components/notice.js";
import { count } from "../../format.js";
import { compareLink, evaluateLink } from "../../router.js";

const MOST_COMPARED = 50;
const MOST_DELETED = 500; // in one request

/** Says how many runs are shown, and what can be done with those that are chosen. @param {{ store: BoardStore }} props */
export function BulkBar({ store }) {
  const refused = useSignal(/** @type {string[]} */ ([]));
  const busy = useSignal(false);
  const chosen = [...store.selected.value];
  const completed = (store.runs.value ?? []).filter(({ value }) => value.status === "completed");
  const done = completed.filter(({ value }) => chosen.includes(value.id)).map(({ value }) => `run:${value.id}`);
  const shown = store.runs.value?.length ?? 0;
  const archived = store.filter.value.archived;

  const archive = async () => {
    busy.value = true;
    refused.value = await refusals(chosen.map((id) => () => api.changeRun(id, { archived: !archived })));
    await store.refresh();
    busy.value = false;
  };
  const remove = async () => {
    const parts = Array.from({ length: Math.ceil(chosen.length / MOST_DELETED) }, (_, i) =>
      chosen.slice(i * MOST_DELETED, (i + 1) * MOST_DELETED),
    );
    refused.value = await refusals(
      parts.map((ids) => async () => (await api.deleteRuns(ids)).refused.map((one) => one.message)),
    );
    await store.refresh();
  };
  return html`
    <div class="bulk-bar">
      <${Check}
        label="Select all shown"
        on=${chosen.length > 0 && chosen.length === shown}
        partly=${chosen.length > 0 && chosen.length < shown}
        onChange=${(/** @type {boolean} */ on) => store.selectAll(on)}
      />
      <span class="muted" role="status">
        ${chosen.length ? `${count(chosen.length)} selected` : `${count(shown)} of ${count(store.matching.value)} runs`}
      </span>
      ${chosen.length > 0 &&
      html`
        <div class="actions push">
          <${CompareButton} ids=${chosen} />
          ${done.length > 0 && html`<a class="button" href=${evaluateLink(done)}>Evaluate</a>`}
          <button type="button" class="button" disabled=${busy.value} onClick=${archive}>
            ${busy.value ? "Saving…" : archived ? "Unarchive" : "Archive"}
          </button>
          <${ConfirmButton}
            question=${`Delete ${runsOf(chosen.length)} with models and checkpoints?`}
            confirm="Delete"
            cancel="Keep"
            onConfirm=${remove}
            >Delete…<//
          >
        </div>
      `}
      ${refused.value.length > 0 &&
      html`<${Notice} tone="error" title=${`${runsOf(refused.value.length)} left as they were:`}>${summary(refused.value)}<//>`}
    </div>
  `;
}

/** @param {{ ids: string[] }} props */
function CompareButton({ ids }) {
  if (ids.length >= 2 && ids.length <= MOST_COMPARED) {
    return html`<a class="button primary" href=${compareLink(ids)}>Compare</a>`;
  }
  const why = ids.length < 2 ? "Select two runs or more to compare them" : `At most ${MOST_COMPARED} runs can be compared`;
  return html`<button type="button" class="button" disabled title=${why}>Compare</button>`;
}

/**
 * Do one after the other, and go on after one that the server refuses.
 *
 * @param {(() => Promise<unknown>)[]} works each may answer with a list of refusals of its own
 * @returns {Promise<string[]>} why what was refused was
 */
async function refusals(works) {
  const refused = [];
  for (const work of works) {
    try {
      const answer = await work();
      if (Array.isArray(answer)) refused.push(...answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refused.push(error.message);
    }
  }
  return refused;
}

/** @param {string[]} reasons */
const summary = (reasons) => [...new Set(reasons)].slice(0, 3).join(" ");

/** @param {number} number */
const runsOf = (number) => (number === 1 ? "1 run" : `${count(number)} runs`);
