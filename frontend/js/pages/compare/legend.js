/**
 * @import { ReadonlySignal } from "@preact/signals"
 * @import { Item } from "../../charts/overlay-draw.js"
 * @import { Axis } from "../../charts/overlay-lines.js"
 * @import { Entry } from "./entries.js"
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { number } from "../../format.js";
import { COLOURS, dashOf } from "../../charts/overlay-draw.js";
import { valueAt } from "../../charts/overlay-lines.js";

/**
 * Who is which line, shows and hides them, and tells their values at the cursor, or their last ones.
 *
 * @param {object} props
 * @param {Entry[]} props.entries
 * @param {ReadonlySignal<Item[]>} props.still
 * @param {ReadonlySignal<Item[]>} props.live
 * @param {ReadonlySignal<ReadonlySet<string>>} props.hidden
 * @param {ReadonlySignal<number | null>} props.cursor
 * @param {(x: number) => string} props.formatX
 * @param {Axis} props.axis
 * @param {(key: string) => void} props.onToggle
 * @param {(on: boolean) => void} props.onAll
 */
export function Legend({ entries, still, live, hidden, cursor, formatX, axis, onToggle, onAll }) {
  return html`
    <div class="overlay-legend">
      <div class="overlay-legend-head">
        <${CursorText} cursor=${cursor} formatX=${formatX} axis=${axis} />
        <button type="button" class="link push" onClick=${() => onAll(true)}>Show all</button>
        <button type="button" class="link" onClick=${() => onAll(false)}>Hide all</button>
      </div>
      <ul>
        ${entries.map(
          (entry) => html`
            <li key=${entry.key}>
              <${Key} entry=${entry} items=${entry.live ? live : still} hidden=${hidden} cursor=${cursor} onToggle=${onToggle} />
            </li>
          `,
        )}
      </ul>
    </div>
  `;
}

/** @param {{ cursor: ReadonlySignal<number | null>, formatX: (x: number) => string, axis: Axis }} props */
function CursorText({ cursor, formatX, axis }) {
  const where = useComputed(() => {
    if (cursor.value === null) return "Latest values";
    const at = formatX(Math.max(0, axis === "time" ? cursor.value : Math.round(cursor.value)));
    return { step: `At step ${at}`, tokens: `After ${at} tokens`, time: `After ${at}` }[axis];
  });
  return html`<span class="muted">${where}</span>`;
}

/**
 * @param {object} props
 * @param {Entry} props.entry
 * @param {ReadonlySignal<Item[]>} props.items
 * @param {ReadonlySignal<ReadonlySet<string>>} props.hidden
 * @param {ReadonlySignal<number | null>} props.cursor
 * @param {(key: string) => void} props.onToggle
 */
function Key({ entry, items, hidden, cursor, onToggle }) {
  const on = useComputed(() => !hidden.value.has(entry.key));
  const value = useComputed(() => {
    const item = items.value.find(({ key }) => key === entry.key);
    if (!item) return "";
    const { x, y } = item;
    return number(cursor.value === null ? y.findLast((each) => each !== null) : valueAt({ x, y }, cursor.value));
  });
  return html`
    <button type="button" class="key" aria-pressed=${on.value} onClick=${() => onToggle(entry.key)}>
      <svg class=${`line-${entry.look % COLOURS}`} viewBox="0 0 28 8" aria-hidden="true">
        <path d="M0 4H28" stroke-dasharray=${dashOf(entry.look).join(" ") || null} />
      </svg>
      <span class="key-name">${entry.name}</span>
      <span class="number">${value}</span>
    </button>
  `;
}
