import { html } from "htm/preact";

/**
 * A box to tick and its label.
 *
 * @param {object} props
 * @param {string} props.label
 * @param {boolean} props.on
 * @param {boolean} [props.partly] neither on nor off
 * @param {(on: boolean) => void} props.onChange
 */
export function Check({ label, on, partly = false, onChange }) {
  return html`
    <label class="check">
      <input
        type="checkbox"
        checked=${on}
        indeterminate=${partly}
        onChange=${(/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).checked)}
      />
      ${label}
    </label>
  `;
}
