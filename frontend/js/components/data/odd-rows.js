/**
 * Rows that stood out, each with its loss and how it begins; those of the run's own dataset can be chosen, to start the run
 * again without them.
 *
 * @import { OddRow, Run } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import * as format from "../../format.js";
import { runLink } from "../../router.js";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { canBeLeftOut, withoutRows } from "../../stores/inside.js";
import { ErrorNotice } from "../notice.js";

/**
 * @param {object} props
 * @param {Run} props.run
 * @param {OddRow[]} props.rows the worst first
 * @param {string} props.label of the table
 * @param {number} [props.few] so many are shown at first
 */
export function OddRowsTable({ run, rows, label, few = rows.length }) {
  const all = useSignal(false);
  const chosen = useSignal(/** @type {Set<number>} */ (new Set()));
  const toggle = (/** @type {number} */ row) => {
    const next = new Set(chosen.value);
    if (!next.delete(row)) next.add(row);
    chosen.value = next;
  };
  const shown = all.value ? rows : rows.slice(0, few);
  const named = rows.some((row) => !canBeLeftOut(row));
  return html`
    <div class="scroll odd-rows" tabindex="0" role="region" aria-label=${label}>
      <table class="compare">
        <thead>
          <tr>
            <th scope="col"><span class="visually-hidden">Leave out</span></th>
            <th scope="col">Row</th>
            ${named && html`<th scope="col">Dataset</th>`}
            <th scope="col">Loss</th>
            <th scope="col">Tokens</th>
            <th scope="col" class="begins">Begins with</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (row, place) => html`
              <tr key=${place}>
                <td>
                  ${canBeLeftOut(row) &&
                  html`<input type="checkbox" aria-label=${`Leave out row ${row.row}`} checked=${chosen.value.has(row.row)} onChange=${() => toggle(row.row)} />`}
                </td>
                <td>${format.count(row.row)}</td>
                ${named && html`<td>${row.dataset ?? "the run's own"}</td>`}
                <td>${row.loss === null ? "not a number" : format.loss(row.loss)}</td>
                <td>${format.count(row.tokens)}</td>
                <td class="begins" dir="auto">${row.text || html`<span class="muted">empty</span>`}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    <div class="actions">
      ${rows.length > shown.length &&
      html`<button type="button" class="button small" onClick=${() => (all.value = true)}>Show all ${rows.length}</button>`}
      <${ForkWithout} run=${run} chosen=${[...chosen.value]} />
    </div>
  `;
}

/** @param {{ run: Run, chosen: number[] }} props */
function ForkWithout({ run, chosen }) {
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const start = async () => {
    busy.value = true;
    error.value = null;
    try {
      const changes = { exclude_rows: withoutRows(leftOut(run), chosen) };
      const made = await api.forkRun(run.id, { changes }, api.idempotencyKey());
      location.hash = runLink(made.id);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    } finally {
      busy.value = false;
    }
  };
  const what = chosen.length === 0 ? "the chosen rows" : chosen.length === 1 ? "this row" : `these ${chosen.length} rows`;
  return html`
    <button type="button" class="button small" disabled=${busy.value || chosen.length === 0} onClick=${start}>
      Start again without ${what}
    </button>
    <${ErrorNotice} error=${error.value} />
  `;
}

/** @param {Run} run @returns {number[]} */
const leftOut = ({ config }) => /** @type {number[]} */ (/** @type {unknown} */ (config.exclude_rows ?? []));
