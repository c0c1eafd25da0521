/**
 * @import { Model } from "../../types.js"
 * @import { ControlProps } from "../field.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { controlId } from "../field.js";

const OTHER = "other";

/** Headings of the list, in its order. @type {[kinds: Model["kind"][], title: string][]} */
const MODEL_GROUPS = [
  [["built_in"], "Built in"],
  [["run", "checkpoint"], "Your runs"],
  [["folder", "gguf"], "Models folder"],
  [["hub"], "On this machine, from Hugging Face"],
];

/**
 * A model from the list, or any Hugging Face id.
 *
 * @param {ControlProps & { models: Model[] }} props
 */
export function ModelControl({ field, value, onChange, aria, models }) {
  const listed = models.some((model) => model.id === value);
  const other = useSignal(false);
  const free = other.value || !listed;
  const choose = (/** @type {Event} */ event) => {
    const chosen = /** @type {HTMLSelectElement} */ (event.target).value;
    other.value = chosen === OTHER;
    onChange(chosen === OTHER ? "" : chosen);
  };
  const type = (/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).value);
  return html`
    <select id=${controlId(field.name)} value=${free ? OTHER : value} onChange=${choose} ...${aria}>
      <${ModelOptions} models=${models} />
      <option value=${OTHER}>Another from Hugging Face…</option>
    </select>
    ${free &&
    html`
      <input
        type="text"
        aria-label="Hugging Face model id"
        placeholder="owner/name, such as HuggingFaceTB/SmolLM2-135M"
        autocomplete="off"
        spellcheck=${false}
        value=${value}
        onInput=${type}
      />
    `}
  `;
}

/** @param {{ models: Model[] }} props */
export function ModelOptions({ models }) {
  return MODEL_GROUPS.map(([kinds, title]) => {
    const members = models.filter((model) => kinds.includes(model.kind));
    return (
      members.length > 0 &&
      html`<optgroup label=${title}>${members.map((model) => html`<option value=${model.id}>${model.name}</option>`)}</optgroup>`
    );
  });
}
