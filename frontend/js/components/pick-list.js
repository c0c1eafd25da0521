/**
 * A few of many: those chosen, each with a button that takes it out, and a list to choose another from.
 *
 * @import { ComponentChildren } from "preact"
 */
import { html } from "htm/preact";
import { useId } from "preact/hooks";
import { Icon } from "./icon.js";

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.add what the list of the others says, such as "Add a model…"
 * @param {string[]} props.chosen ids
 * @param {number} props.most
 * @param {(id: string) => string} props.nameOf
 * @param {ComponentChildren} props.options of the list
 * @param {(chosen: string[]) => void} props.onChange
 * @param {boolean} [props.disabled]
 */
export function PickList({ label, add, chosen, most, nameOf, options, onChange, disabled }) {
  const id = useId();
  const choose = (/** @type {Event} */ event) => {
    const select = /** @type {HTMLSelectElement} */ (event.target);
    if (select.value && !chosen.includes(select.value)) onChange([...chosen, select.value]);
    select.value = "";
  };
  return html`
    <fieldset class="pick-list" aria-labelledby=${id} disabled=${disabled}>
      <span id=${id} class="pick-label">${label}</span>
      ${chosen.length > 0 &&
      html`
        <ul>
          ${chosen.map(
            (one) => html`
              <li key=${one}>
                <span title=${one}>${nameOf(one)}</span>
                <button
                  type="button"
                  class="icon-button"
                  aria-label=${`Take out ${nameOf(one)}`}
                  onClick=${() => onChange(chosen.filter((other) => other !== one))}
                >
                  <${Icon} name="cross" />
                </button>
              </li>
            `,
          )}
        </ul>
      `}
      ${chosen.length < most &&
      html`
        <select aria-label=${add} value="" onChange=${choose}>
          <option value="">${add}</option>
          ${options}
        </select>
      `}
    </fieldset>
  `;
}
