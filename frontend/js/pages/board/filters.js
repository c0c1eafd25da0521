/**
 * @import { Filter } from "../../stores/board-filter.js"
 * @import { TagCount } from "../../types.js"
 */
import { html } from "htm/preact";
import { Check } from "../../components/check.js";
import { SORTS, STATUSES } from "../../stores/board-filter.js";

const TAGS_SHOWN = 12;

/** @param {{ filter: Filter, tags: TagCount[], onChange: (filter: Filter) => void }} props */
export function Filters({ filter, tags, onChange }) {
  const set = (/** @type {Partial<Filter>} */ change) => onChange({ ...filter, ...change });
  return html`
    <div role="search" class="board-filters">
      <input
        type="search"
        aria-label="Find runs"
        placeholder="Find by name, model, dataset, tag or note"
        maxlength="200"
        value=${filter.q}
        onInput=${(/** @type {Event} */ event) => set({ q: /** @type {HTMLInputElement} */ (event.target).value })}
      />
      <${Choice} label="Status" options=${STATUSES} value=${filter.status} onChange=${(/** @type {string} */ status) => set({ status })} />
      <${Choice} label="Order" options=${SORTS} value=${filter.sort} onChange=${(/** @type {string} */ sort) => set({ sort })} />
      <${Check} label="Archived" on=${filter.archived} onChange=${(/** @type {boolean} */ archived) => set({ archived })} />
      <${TagChips} tags=${tags} chosen=${filter.tag} onChoose=${(/** @type {string} */ tag) => set({ tag })} />
    </div>
  `;
}

/**
 * @param {object} props
 * @param {string} props.label
 * @param {[value: string, title: string][]} props.options
 * @param {string} props.value
 * @param {(value: string) => void} props.onChange
 */
function Choice({ label, options, value, onChange }) {
  return html`
    <select
      aria-label=${label}
      value=${value}
      onChange=${(/** @type {Event} */ event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value)}
    >
      ${options.map(([option, title]) => html`<option key=${option} value=${option}>${title}</option>`)}
    </select>
  `;
}

/** The most used tags; the chosen one is always among them. @param {{ tags: TagCount[], chosen: string, onChoose: (tag: string) => void }} props */
function TagChips({ tags, chosen, onChoose }) {
  const shown = tags.slice(0, TAGS_SHOWN);
  if (chosen && !shown.some(({ tag }) => tag === chosen)) {
    shown.push(tags.find(({ tag }) => tag === chosen) ?? { tag: chosen, runs: 0 });
  }
  if (!shown.length) return null;
  return html`
    <div class="tag-chips" role="group" aria-label="Tags">
      ${shown.map(
        ({ tag, runs }) => html`
          <button
            key=${tag}
            type="button"
            class="chip"
            aria-pressed=${tag === chosen}
            onClick=${() => onChoose(tag === chosen ? "" : tag)}
          >
            ${tag}<span class="muted">${runs}</span>
          </button>
        `,
      )}
    </div>
  `;
}
