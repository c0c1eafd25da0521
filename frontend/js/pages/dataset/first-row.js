/**
 * Whether a table's first row names its columns, with what comes of either.
 *
 * @import { Dataset, Preview } from "../../types.js"
 * @import { ApiError } from "../../server/requests.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { ErrorNotice } from "../../components/notice.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { changeDataset, previewDataset } from "../../server/api.js";

const COLUMNS_SHOWN = 6;

/** @param {{ dataset: Dataset, onChanged: (dataset: Dataset) => void }} props */
export function FirstRow({ dataset, onChanged }) {
  const open = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  // What is being stored: the choice is shown at once, and taken back if the server refuses it.
  const wanted = useSignal(/** @type {boolean | null} */ (null));
  const choose = async (/** @type {boolean} */ header) => {
    wanted.value = header;
    error.value = null;
    try {
      onChanged(await changeDataset(dataset.id, { header }));
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    wanted.value = null;
  };
  return html`
    <details
      class="first-row"
      onToggle=${(/** @type {Event} */ event) => (open.value = /** @type {HTMLDetailsElement} */ (event.target).open)}
    >
      <summary>First row: ${dataset.header ? "the names of the columns" : "an example"}</summary>
      ${open.value &&
      html`
        <fieldset class="first-row-choices" aria-label="What the first row is" disabled=${wanted.value !== null}>
          ${[true, false].map(
            (header) => html`
              <${Choice}
                key=${header}
                dataset=${dataset}
                header=${header}
                chosen=${(wanted.value ?? dataset.header) === header}
                onChoose=${() => choose(header)}
              />
            `,
          )}
        </fieldset>
        <p class="muted" role="status">${wanted.value !== null && "Checking the whole file…"}</p>
      `}
      <${ErrorNotice} error=${error.value} />
    </details>
  `;
}

/** @param {{ dataset: Dataset, header: boolean, chosen: boolean, onChoose: () => void }} props */
function Choice({ dataset, header, chosen, onChoose }) {
  const query = { limit: 2, header: String(header) };
  const { value, error } = useLatest(`${dataset.id} ${header}`, (signal) => previewDataset(dataset.id, query, signal));
  return html`
    <label class="first-row-choice">
      <span>
        <input type="radio" name="header" checked=${chosen} onChange=${onChoose} />
        ${header ? "The names of the columns" : "An example"}
      </span>
      <${ErrorNotice} error=${error.value} />
      ${value.value && html`<${Table} preview=${value.value} />`}
    </label>
  `;
}

/** @param {{ preview: Preview }} props */
function Table({ preview }) {
  return html`
    <span class="records">
      <table>
        <thead>
          <tr>${preview.columns.slice(0, COLUMNS_SHOWN).map((column) => html`<th scope="col"><bdi>${column}</bdi></th>`)}</tr>
        </thead>
        <tbody>
          ${preview.records.map(
            (cells, i) => html`
              <tr key=${i}>
                ${cells.slice(0, COLUMNS_SHOWN).map((cell, j) => html`<td key=${j} dir="auto"><div class="cell">${cell}</div></td>`)}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </span>
  `;
}
