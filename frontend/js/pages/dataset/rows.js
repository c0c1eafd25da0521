/**
 * What stands in the file.
 *
 * @import { Dataset, Preview, Reading } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { previewDataset } from "../../server/api.js";
import { ErrorNotice } from "../../components/notice.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { count } from "../../format.js";
import { isSame, roleOf, ROLE_LABELS } from "../../stores/data/reading.js";

const PAGE = 20;

/** @param {{ dataset: Dataset, reading: Reading }} props reading: the one being chosen, whose columns are marked */
export function Rows({ dataset, reading }) {
  const place = useSignal(/** @type {{ start?: number, random?: number }} */ ({ start: 1 }));
  // A reading that was saved may leave out other rows than the one before.
  const key = JSON.stringify([dataset.id, dataset.header, dataset.reading, place.value]);
  const ask = (/** @type {AbortSignal} */ signal) => previewDataset(dataset.id, { limit: PAGE, ...place.value }, signal);
  const { value: preview, error, busy } = useLatest(key, ask);
  const { start } = place.value;
  const full = preview.value?.numbers.length === PAGE;

  return html`
    <section class="card" aria-labelledby="rows-title" aria-busy=${busy.value}>
      <div class="card-head">
        <h2 id="rows-title">Rows</h2>
        <span class="muted">${preview.value && spanOf(preview.value, dataset, start === undefined)}</span>
        <div class="actions push">
          ${start === undefined
            ? html`<button class="button small" onClick=${() => (place.value = { start: 1 })}>First rows</button>`
            : html`
                <button
                  class="button small"
                  disabled=${start === 1}
                  onClick=${() => (place.value = { start: Math.max(1, start - PAGE) })}
                >Earlier</button>
                <button
                  class="button small"
                  disabled=${!full}
                  onClick=${() => (place.value = { start: start + PAGE })}
                >Later</button>
              `}
          <button class="button small" onClick=${() => (place.value = { random: Math.floor(Math.random() * 2 ** 31) })}>
            Random rows
          </button>
        </div>
      </div>
      <${ErrorNotice} error=${error.value} />
      ${preview.value && html`<${Records} preview=${preview.value} dataset=${dataset} reading=${reading} />`}
    </section>
  `;
}

/** @param {Preview} preview @param {Dataset} dataset @param {boolean} random */
function spanOf({ numbers }, { rows }, random) {
  if (numbers.length === 0) return "no more";
  const all = rows > 1 ? ` of ${count(rows)}` : "";
  return random ? `${count(numbers.length)} random ones${all}` : `${count(numbers[0])} to ${count(numbers.at(-1))}${all}`;
}

/** @param {{ preview: Preview, dataset: Dataset, reading: Reading }} props */
function Records({ preview, dataset, reading }) {
  if (preview.columns.length === 0) {
    return html`
      <ol class="rows" tabindex="0" aria-label="Rows of the file">
        ${preview.examples.map(
          ([part], i) => html`
            <li key=${i}><span class="row-number">${count(preview.numbers[i])}</span><span dir="auto">${part.text}</span></li>
          `,
        )}
      </ol>
    `;
  }
  const used = preview.columns.map((column) => roleOf(reading, column) !== null);
  return html`
    <div class="records" tabindex="0" role="region" aria-label="Records of the file">
      <table>
        <thead>
          <tr>
            <th scope="col">Row</th>
            ${preview.columns.map((column) => html`<${ColumnHead} key=${column} column=${column} reading=${reading} />`)}
          </tr>
        </thead>
        <tbody>
          ${preview.records.map(
            (cells, i) => html`
              <tr key=${i}>
                <th scope="row">${count(preview.numbers[i])}</th>
                ${cells.map((cell, j) => html`<${Cell} key=${j} text=${cell} used=${used[j]} />`)}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${!isSame(reading, dataset.reading) &&
    html`<p class="muted">The marks show the choice above, which is not saved yet.</p>`}
  `;
}

/** @param {{ column: string, reading: Reading }} props */
function ColumnHead({ column, reading }) {
  const role = roleOf(reading, column);
  return html`
    <th scope="col" data-used=${role ? "" : undefined}>
      <bdi>${column}</bdi>${" "}
      <span class="tag" data-kind=${role ? "best" : undefined}>${role ? ROLE_LABELS[role] : "not used"}</span>
    </th>
  `;
}

/** @param {{ text: string | null, used: boolean }} props */
function Cell({ text, used }) {
  return html`
    <td data-used=${used ? "" : undefined} dir="auto">
      ${text === null || text === "" ? html`<span class="muted">empty</span>` : html`<div class="cell">${text}</div>`}
    </td>
  `;
}
