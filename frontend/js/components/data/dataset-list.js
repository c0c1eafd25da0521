/**
 * @import { Dataset } from "../../types.js"
 * @import { ControlProps } from "../field.js"
 */
import { html } from "htm/preact";
import * as format from "../../format.js";
import { entriesOf, shareLeft, textOf, withOneMore } from "../../stores/data/dataset-list.js";
import { DatasetOptions } from "./dataset-control.js";
import { controlId } from "../field.js";
import { Icon } from "../icon.js";

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value;

/**
 * Several datasets but the ones that are chosen elsewhere; of a mixture each with its share.
 *
 * @param {ControlProps & { datasets: Dataset[], not: (string | boolean)[], shares?: boolean }} props
 */
export function DatasetList({ field, value, onChange, aria, datasets, not, shares = false }) {
  const entries = entriesOf(String(value), shares);
  const free = datasets.filter(({ id }) => !not.includes(id));
  const more = withOneMore(entries, free.map(({ id }) => id), shares);
  const full = more === entries;
  const change = (/** @type {number} */ place, /** @type {object} */ part) =>
    onChange(textOf(entries.map((entry, i) => (i === place ? { ...entry, ...part } : entry)), shares));
  const remove = (/** @type {number} */ place) => onChange(textOf(entries.filter((_, i) => i !== place), shares));
  const left = shareLeft(entries);
  return html`
    ${entries.map(
      ({ id, share }, place) => html`
        <div class="dataset-entry" key=${place}>
          <select
            id=${place === 0 ? controlId(field.name) : undefined}
            aria-label=${`${field.label}: dataset ${place + 1}`}
            value=${id}
            onChange=${(/** @type {Event} */ event) => change(place, { id: valueOf(event) })}
            ...${aria}
          >
            <${DatasetOptions} datasets=${free} value=${id} gone=${`${nameOf(datasets, id)} (not to be had here)`} />
          </select>
          ${shares &&
          html`
            <input
              type="text"
              inputmode="decimal"
              class="number"
              autocomplete="off"
              aria-label=${`${field.label}: share of dataset ${place + 1}`}
              value=${share}
              onInput=${(/** @type {Event} */ event) => change(place, { share: valueOf(event) })}
            />
          `}
          <button type="button" class="icon-button" aria-label=${`Take out ${nameOf(datasets, id)}`} onClick=${() => remove(place)}>
            <${Icon} name="cross" />
          </button>
        </div>
      `,
    )}
    <button
      type="button"
      id=${entries.length === 0 ? controlId(field.name) : undefined}
      class="button small dataset-add"
      aria-label=${`Add a dataset: ${field.label}`}
      disabled=${full}
      onClick=${() => onChange(textOf(more, shares))}
      ...${aria}
    >
      Add a dataset
    </button>
    ${shares && left !== null && html`<span class="muted dataset-rest">The dataset itself: ${format.percent(100 * left)}</span>`}
    ${full && entries.length === 0 && html`<span class="muted dataset-rest">There is no other one yet: drop a file above.</span>`}
  `;
}

/** @param {Dataset[]} datasets @param {string} id */
const nameOf = (datasets, id) => datasets.find((dataset) => dataset.id === id)?.name ?? id;
