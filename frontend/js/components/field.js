/**
 * One setting of the form: label, control, help, and what the server found wrong with it.
 *
 * @import { ComponentChildren } from "preact"
 * @import { FormField } from "../stores/form.js"
 *
 * @typedef {object} ControlProps
 * @property {FormField} field
 * @property {string | boolean} value
 * @property {(value: string | boolean) => void} onChange
 * @property {Record<string, string | boolean | undefined>} aria what ties the control to its help and error
 */
import { html } from "htm/preact";
import { SETTINGS } from "../stores/learn/links.js";
import { Icon } from "./icon.js";
import { LearnLink } from "./learn-link.js";

/** @param {string} name */
export const controlId = (name) => `field-${name}`;

/**
 * @param {object} props
 * @param {FormField} props.field
 * @param {string | boolean} props.value
 * @param {string | null} props.error
 * @param {string | null} [props.warning] something to look at; the error goes before it
 * @param {(value: string | boolean) => void} props.onChange
 * @param {((props: ControlProps) => ComponentChildren) | undefined} props.control in place of the kind's usual one
 */
export function Field({ field, value, error, warning, onChange, control }) {
  const id = controlId(field.name);
  const aria = {
    "aria-describedby": `${id}-help${error || warning ? ` ${id}-error` : ""}`,
    "aria-invalid": error ? true : undefined,
  };
  const props = { field, value, onChange, aria };
  return html`
    <div class="field ${error ? "field-wrong" : ""}">
      <label class="field-label" for=${id}>${field.label}</label>
      <div class="field-control">
        ${control ? control(props) : html`<${CONTROLS[field.kind]} ...${props} />`}
        ${error && html`<p class="field-error" id=${`${id}-error`}>${error}</p>`}
        ${!error && warning && html`<p class="field-warning" id=${`${id}-error`}><${Icon} name="warning" /> ${warning}</p>`}
      </div>
      <p class="field-help" id=${`${id}-help`}>
        ${field.help}${" "}
        ${SETTINGS[field.name] && html`<${LearnLink} page=${SETTINGS[field.name]} what=${field.label} />`}
        ${field.advice && html`<span class="advice">${field.advice}</span>`}
      </p>
    </div>
  `;
}

/** @param {Event} event */
const typed = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {ControlProps} props */
function TextControl({ field, value, onChange, aria }) {
  const number = field.kind === "number";
  return html`
    <div class="with-unit">
      <input
        id=${controlId(field.name)}
        type="text"
        inputmode=${number ? "decimal" : undefined}
        class=${number ? "number" : ""}
        autocomplete="off"
        placeholder=${field.initial === null ? (number ? "not set" : "made for you") : String(field.initial)}
        value=${value}
        onInput=${(/** @type {Event} */ event) => onChange(typed(event))}
        ...${aria}
      />
      ${field.unit && html`<span class="unit">${field.unit}</span>`}
    </div>
  `;
}

/** @param {ControlProps} props */
function SwitchControl({ field, value, onChange, aria }) {
  const flip = (/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).checked);
  return html`
    <input id=${controlId(field.name)} type="checkbox" role="switch" class="switch" checked=${value} onChange=${flip} ...${aria} />
  `;
}

/** @param {ControlProps} props */
function ChoiceControl({ field, value, onChange, aria }) {
  return html`
    <select
      id=${controlId(field.name)}
      value=${value}
      onChange=${(/** @type {Event} */ event) => onChange(typed(event))}
      ...${aria}
    >
      ${field.options.map((option) => html`<option value=${option}>${option}</option>`)}
    </select>
  `;
}

/** @param {ControlProps} props */
function LinesControl({ field, value, onChange, aria }) {
  return html`
    <textarea
      id=${controlId(field.name)}
      rows="3"
      placeholder="One per line"
      value=${value}
      onInput=${(/** @type {Event} */ event) => onChange(typed(event))}
      ...${aria}
    />
  `;
}

const CONTROLS = {
  text: TextControl,
  number: TextControl,
  switch: SwitchControl,
  choice: ChoiceControl,
  lines: LinesControl,
};
