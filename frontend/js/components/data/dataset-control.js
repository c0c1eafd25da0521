/**
 * @import { Dataset } from "../../types.js"
 * @import { ControlProps } from "../field.js"
 */
import { html } from "htm/preact";
import { inWords, sizeOf } from "../../stores/data/reading.js";
import { datasetLink } from "../../router.js";
import { controlId } from "../field.js";
import { Notes } from "../notice.js";
import { Upload } from "./upload.js";

/**
 * A dataset from the list, or a new file.
 *
 * @param {ControlProps & { datasets: Dataset[], onUploaded: (dataset: Dataset) => void }} props
 */
export function DatasetControl({ field, value, onChange, aria, datasets, onUploaded }) {
  const chosen = datasets.find((dataset) => dataset.id === value);
  const choose = (/** @type {Event} */ event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value);
  const take = (/** @type {Dataset} */ dataset) => {
    onUploaded(dataset);
    onChange(dataset.id);
  };
  return html`
    <${Upload} onUploaded=${take}>
      <select id=${controlId(field.name)} value=${value} onChange=${choose} ...${aria}>
        <${DatasetOptions} datasets=${datasets} value=${value} gone=${`${value} (no longer here)`} />
      </select>
      ${chosen &&
      html`
        <${Notes} notes=${chosen.notes} />
        <p class="read-as">
          <span class="muted">Read as ${inWords(chosen)}.</span>${" "}
          <a href=${datasetLink(chosen.id)}>${chosen.built_in ? "Look inside" : "Look inside or change that"}</a>
        </p>
      `}
    <//>
  `;
}

/**
 * One of the datasets but the one that is chosen already, or none.
 *
 * @param {ControlProps & { datasets: Dataset[], not: string | boolean }} props
 */
export function OtherDataset({ field, value, onChange, aria, datasets, not }) {
  const others = datasets.filter((dataset) => dataset.id !== not || dataset.id === value);
  const choose = (/** @type {Event} */ event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`
    <select id=${controlId(field.name)} value=${value} onChange=${choose} ...${aria}>
      <option value="">none</option>
      <${DatasetOptions} datasets=${others} value=${value} gone=${value === "" ? null : `${value} (no longer here)`} />
    </select>
  `;
}

/**
 * The options of a list; a value that is none of them is one all the same.
 *
 * @param {{ datasets: Dataset[], value: string | boolean, gone: string | null }} props `gone`: what such a value is called
 */
export function DatasetOptions({ datasets, value, gone }) {
  const listed = datasets.some((dataset) => dataset.id === value);
  return html`
    ${!listed && gone !== null && html`<option value=${value}>${gone}</option>`}
    ${datasets.map((dataset) => html`<option value=${dataset.id}>${dataset.name} (${sizeOf(dataset)})</option>`)}
  `;
}
