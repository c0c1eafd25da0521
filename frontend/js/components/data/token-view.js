/**
 * A dataset as the model will see it: its rows one by one, or the first update.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Config, Reading, TokenRow, TokenState, TokenView as Answer } from "../../types.js"
 *
 * @typedef {{ rows?: number[], seed?: number, take?: "first" | "last" }} Wanted which of these rows, or a random one
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { datasetTokens } from "../../server/api.js";
import { count } from "../../format.js";
import { occurring, STATES } from "../../stores/data/token-text.js";
import { ErrorNotice } from "../notice.js";
import { Segmented } from "../segmented.js";
import { TokenLine } from "./token-line.js";
import { useLatest } from "../hooks/use-latest.js";

/** Empty rows have no tokens, so a neighbour is looked for among so many. */
const NEIGHBOURS = 8;
const WINDOWS_SHOWN = 4;
const ROWS_SHOWN = 16;

/**
 * @param {object} props
 * @param {string} props.dataset id
 * @param {Config} props.config as the form sends it
 * @param {Reading} [props.reading] to try out another way to read the file
 * @param {Signal<Wanted>} props.wanted which row; the first for {}
 */
export function TokenView({ dataset, config, reading, wanted }) {
  const tab = useSignal(/** @type {"examples" | "batch"} */ ("examples"));
  const batch = tab.value === "batch";
  const { rows, seed } = wanted.value;
  const body = { config, reading, count: 1, batch, ...(batch ? {} : { rows, seed }) };
  const key = JSON.stringify([dataset, body]);
  const { value, error, busy } = useLatest(key, (signal) => datasetTokens(dataset, body, signal));
  const shown = value.value && (batch ? value.value.batch : value.value.items.length > 0) ? value.value : null;

  return html`
    <div class="token-view" aria-busy=${busy.value}>
      <div class="token-bar">
        <${Segmented}
          label="What is shown"
          name=${`tokens-of-${dataset}`}
          options=${[["examples", "Examples"], ["batch", "First update"]]}
          value=${tab.value}
          onChange=${(/** @type {"examples" | "batch"} */ chosen) => (tab.value = chosen)}
        />
        ${!batch && html`<${RowPicker} wanted=${wanted} row=${rowOf(value.value, wanted.value)} />`}
        <span class="muted" role="status">${busy.value && "Turning text into tokens…"}</span>
      </div>
      <${ErrorNotice} error=${error.value} />
      ${shown && !error.value && !batch && html`<${Row} view=${shown} wanted=${wanted.value} />`}
      ${shown && !error.value && batch && html`<${Batch} view=${shown} />`}
      ${batch && value.value && !shown && !busy.value && !error.value && html`<p class="muted">${NO_BATCH}</p>`}
    </div>
  `;
}

const NO_BATCH = "Of a dataset this large the first update cannot be shown: its order is known once all of it is tokens.";

/** @param {Answer | null} view @param {Wanted} wanted @returns {number | null} */
function rowOf(view, { take = "first" }) {
  return view?.items.at(take === "first" ? 0 : -1)?.row ?? null;
}

/** @param {{ wanted: Signal<Wanted>, row: number | null }} props */
function RowPicker({ wanted, row }) {
  const typed = useSignal(/** @type {string | null} */ (null));
  const near = (/** @type {number} */ from) => {
    const rows = Array.from({ length: NEIGHBOURS }, (_, i) => from + i);
    return rows.filter((each) => each > 0);
  };
  const go = () => {
    const number = Number(typed.value);
    if (Number.isInteger(number) && number > 0) wanted.value = { rows: [number] };
    typed.value = null;
  };
  return html`
    <div class="row-picker" role="group" aria-label="Which row">
      <button
        type="button"
        class="button small"
        disabled=${row === null || row <= 1}
        onClick=${() => (wanted.value = { rows: near(/** @type {number} */ (row) - NEIGHBOURS), take: "last" })}
      >Previous</button>
      <label>
        <span>Row</span>
        <input
          type="text"
          inputmode="numeric"
          class="number"
          autocomplete="off"
          value=${typed.value ?? row ?? ""}
          onInput=${(/** @type {Event} */ event) => (typed.value = /** @type {HTMLInputElement} */ (event.target).value)}
          onChange=${go}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
            if (event.key !== "Enter") return;
            event.preventDefault(); // within a form Enter would send it
            go();
          }}
        />
      </label>
      <button
        type="button"
        class="button small"
        disabled=${row === null}
        onClick=${() => (wanted.value = { rows: near(/** @type {number} */ (row) + 1) })}
      >Next</button>
      <button
        type="button"
        class="button small"
        onClick=${() => (wanted.value = { seed: Math.floor(Math.random() * 2 ** 31) })}
      >Random</button>
    </div>
  `;
}

/** A row of the file: an example, or of a document the windows it gives. @param {{ view: Answer, wanted: Wanted }} props */
function Row({ view, wanted }) {
  const all = useSignal(false);
  const row = rowOf(view, wanted);
  const windows = view.items.filter((item) => item.row === row);
  const shown = all.value ? windows : windows.slice(0, WINDOWS_SHOWN);
  return html`
    ${shown.map((item, place) => html`<${Example} key=${place} item=${item} longest=${view.max_length} />`)}
    ${windows.length > shown.length &&
    html`
      <button type="button" class="button small" onClick=${() => (all.value = true)}>
        Show ${count(windows.length - shown.length)} more windows of row ${count(row)}
      </button>
    `}
  `;
}

/** @param {{ item: TokenRow, longest: number }} props longest: tokens that an example may have */
function Example({ item, longest }) {
  const whole = occurring(item.counts).reduce((sum, [state, number]) => (state === "padding" ? sum : sum + number), 0);
  const place = item.windows > 1 ? `, window ${count(item.window + 1)} of ${count(item.windows)}` : "";
  const hidden = (item.counts.truncated ?? 0) - item.tokens.filter((token) => token.state === "truncated").length;
  const label = `Row ${count(item.row)}${place}`;
  return html`
    <section class="token-row" aria-label=${label}>
      <div class="token-head">
        <h3>${label}</h3>
        <span class="muted">${count(whole)} tokens, at most ${count(longest)}</span>
        <span class="tag">${item.side === "train" ? "for training" : "for validation"}</span>
        ${!item.used && html`<span class="tag" data-tone="warning">left out: nothing in it would be learned</span>`}
        <${Legend} counts=${item.counts} />
      </div>
      <${TokenLine} tokens=${item.tokens} label=${`Tokens of ${label}`} />
      ${hidden > 0 && html`<p class="muted">${count(hidden)} more tokens are cut off and not shown.</p>`}
    </section>
  `;
}

/** @param {{ view: Answer }} props */
function Batch({ view }) {
  const batch = /** @type {NonNullable<Answer["batch"]>} */ (view.batch);
  const hidden = batch.rows.length - ROWS_SHOWN;
  const passes = batch.passes === 1 ? "all of its examples" : `the first of its ${count(batch.passes)} passes`;
  const how = batch.layout === "packed" ? "laid end to end, without padding" : "side by side, filled up with padding";
  return html`
    <div class="token-head">
      <span class="muted">${passes}: ${count(batch.examples)} ${batch.examples === 1 ? "example" : "examples"} ${how}</span>
      <${Legend} counts=${batch.counts} />
    </div>
    ${batch.rows.slice(0, ROWS_SHOWN).map(
      (tokens, i) => html`<${TokenLine} key=${i} tokens=${tokens} label=${`Tokens of row ${i + 1} of the batch`} />`,
    )}
    ${hidden > 0 && html`<p class="muted">${count(hidden)} more rows are not shown.</p>`}
  `;
}

/** @param {{ counts: { [state in TokenState]?: number } }} props */
function Legend({ counts }) {
  return html`
    <ul class="token-legend" aria-label="Legend">
      ${occurring(counts).map(
        ([state, number]) => html`
          <li title=${STATES[state][1]}>
            <span class="token" data-state=${state}>${count(number)}</span> ${STATES[state][0]}
          </li>
        `,
      )}
    </ul>
  `;
}
