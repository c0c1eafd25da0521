/**
 * How the file's records become examples: the kind, and which column is what.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Dataset, Kind, Reading } from "../../types.js"
 * @import { ApiError } from "../../server/requests.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { changeDataset } from "../../server/api.js";
import { Notes } from "../../components/notice.js";
import { Segmented } from "../../components/segmented.js";
import { isSame, KINDS, readingOf } from "../../stores/data/reading.js";
import { ExamplePreview } from "./example-preview.js";
import { FirstRow } from "./first-row.js";
import { ReadingFields } from "./reading-fields.js";

/** @param {{ dataset: Dataset, reading: Signal<Reading>, onChanged: (dataset: Dataset) => void }} props */
export function ReadingCard({ dataset, reading, onChanged }) {
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const { kind } = reading.value;
  const kinds = /** @type {[Kind, string][]} */ (dataset.readings.map((each) => [each, titleOf(each, dataset)]));
  const set = (/** @type {Reading} */ chosen) => {
    reading.value = chosen;
    error.value = null;
  };
  const onHeader = (/** @type {Dataset} */ changed) => {
    set(changed.reading);
    onChanged(changed);
  };
  return html`
    <section class="card" aria-labelledby="reading-title">
      <div class="card-head"><h2 id="reading-title">How it is read</h2></div>
      <${Notes} notes=${dataset.notes} />
      ${isTable(dataset) && html`<${FirstRow} dataset=${dataset} onChanged=${onHeader} />`}
      <${Segmented}
        label="What an example is"
        name="kind"
        options=${kinds}
        value=${kind}
        disabled=${dataset.built_in}
        onChange=${(/** @type {Kind} */ chosen) => set(readingOf(chosen, dataset.columns, reading.value))}
      />
      <p class="muted reading-help">${KINDS[kind].help}</p>
      ${!dataset.built_in &&
      html`
        <${ReadingFields} reading=${reading.value} columns=${dataset.columns} wrong=${error.value !== null} onChange=${set} />
        <${ExamplePreview} dataset=${dataset} reading=${reading.value} />
      `}
      ${dataset.built_in
        ? html`<p class="muted">The built-in sample stays as it is. A file of your own can be read in other ways.</p>`
        : html`<${Save} dataset=${dataset} reading=${reading} error=${error} onChanged=${onChanged} />`}
    </section>
  `;
}

/** @param {Dataset} dataset whose first row may name its columns */
const isTable = ({ format, built_in: builtIn }) => !builtIn && (format === "csv" || format === "tsv");

/** @param {Kind} kind @param {Dataset} dataset */
function titleOf(kind, { columns }) {
  if (columns.length > 0) return KINDS[kind].title;
  return kind === "document" ? "One long document" : "One example per line";
}

/**
 * @param {object} props
 * @param {Dataset} props.dataset
 * @param {Signal<Reading>} props.reading
 * @param {Signal<ApiError | null>} props.error
 * @param {(dataset: Dataset) => void} props.onChanged
 */
function Save({ dataset, reading, error, onChanged }) {
  const busy = useSignal(false);
  const changed = !isSame(reading.value, dataset.reading);
  const save = async () => {
    busy.value = true;
    error.value = null;
    try {
      onChanged(await changeDataset(dataset.id, { reading: reading.value }));
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    busy.value = false;
  };
  return html`
    ${error.value &&
    html`
      <p class="field-error" id="reading-error" role="alert">
        ${error.value.message}${error.value.hint && ` ${error.value.hint}`}
      </p>
    `}
    <div class="actions reading-save">
      ${changed &&
      html`
        <button type="button" class="button primary" disabled=${busy.value} onClick=${save}>
          ${busy.value ? "Checking the whole file…" : "Save"}
        </button>
        <button
          type="button"
          class="button"
          disabled=${busy.value}
          onClick=${() => {
            reading.value = dataset.reading;
            error.value = null;
          }}
        >Undo</button>
      `}
      <span class="muted" role="status">
        ${changed ? "Not saved yet: so far only the previews here follow it." : "Runs that start from now on read it so."}
      </span>
    </div>
  `;
}
