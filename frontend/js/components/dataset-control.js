/**
 * @import { Dataset } from "../types.js"
 * @import { ControlProps } from "./field.js"
 */
import { html } from "htm/preact";
import { count } from "../format.js";
import { controlId } from "./field.js";
import { Upload } from "./upload.js";

/**
 * A dataset from the list, or a new file.
 *
 * @param {ControlProps & { datasets: Dataset[], onUploaded: (dataset: Dataset) => void }} props
 */
export function DatasetControl({ field, value, onChange, aria, datasets, onUploaded }) {
  const choose = (/** @type {Event} */ event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value);
  const take = (/** @type {Dataset} */ dataset) => {
    onUploaded(dataset);
    onChange(dataset.id);
  };
  return html`
    <select id=${controlId(field.name)} value=${value} onChange=${choose} ...${aria}>
      ${datasets.map(
        (dataset) => html`<option value=${dataset.id}>${dataset.name} (${count(dataset.rows)} examples)</option>`,
      )}
    </select>
    <${Upload} onUploaded=${take} />
  `;
}
