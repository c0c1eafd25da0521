import { html } from "htm/preact";

/**
 * One of a few choices, all in sight.
 *
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.name of the group, once on a page
 * @param {[value: string, title: string][]} props.options
 * @param {string} props.value
 * @param {boolean} [props.disabled]
 * @param {(value: any) => void} props.onChange
 */
export function Segmented({ label, name, options, value, disabled, onChange }) {
  return html`
    <fieldset class="segmented" aria-label=${label} disabled=${disabled}>
      ${options.map(
        ([option, title]) => html`
          <label key=${option}>
            <input
              type="radio"
              name=${name}
              value=${option}
              checked=${option === value}
              onChange=${() => onChange(option)}
            />
            <span>${title}</span>
          </label>
        `,
      )}
    </fieldset>
  `;
}
