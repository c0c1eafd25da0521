/**
 * Pieces of a text in reading order: one stop for the keyboard, in which the arrow keys move.
 *
 * @import { ComponentChildren } from "preact"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useId, useMemo, useRef } from "preact/hooks";
import { inText } from "../../stores/evaluate/heat.js";

/** A piece as it stands in a box. @param {{ id: string, text: string, shown: string, attributes: Record<string, unknown> }} props */
export const Chip = ({ id, text, shown, attributes }) =>
  html`<bdi class="token" role="option" aria-selected="false" id=${id} ...${attributes} dir="auto">${shown}</bdi
    >${text.includes("\n") && html`<br />`}`;

/** A piece of a text that is read as one, blanks as they are. @param {{ id: string, text: string, attributes: Record<string, unknown> }} props */
export const TextChip = ({ id, text, attributes }) =>
  html`<${Chip} id=${id} text=${text} shown=${inText(text)} attributes=${{ "aria-label": /^ *$/.test(text) ? "blank" : undefined, ...attributes }} />`;

/**
 * @template T
 * @param {object} props
 * @param {T[]} props.items
 * @param {"ltr" | "rtl"} props.direction
 * @param {string} props.label
 * @param {string} [props.className] of the box
 * @param {number} [props.start] the one that is active at first
 * @param {(item: T, id: string) => ComponentChildren} props.chip a Chip or a TextChip with this id
 * @param {(item: T | null, index: number) => ComponentChildren} props.detail what is known of the active one, if there is one
 */
export function TokenBox({ items, direction, label, className = "tokens", start, chip, detail }) {
  const id = useId();
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const active = useSignal(/** @type {number | null} */ (null));
  // Hundreds of them, so they are made once and only two are touched when another becomes the active one.
  const chips = useMemo(() => items.map((item, i) => chip(item, `${id}-${i}`)), [items]);
  const descendant = useComputed(() => (active.value === null ? undefined : `${id}-${active.value}`));

  const mark = (/** @type {number} */ index) => {
    const box = /** @type {HTMLElement} */ (list.current);
    for (const option of box.querySelectorAll('[aria-selected="true"]')) option.setAttribute("aria-selected", "false");
    active.value = index;
    const option = /** @type {HTMLElement} */ (box.querySelectorAll(".token")[index]);
    option.setAttribute("aria-selected", "true");
    scrollWithin(box, option);
  };
  useEffect(() => {
    const first = start === undefined ? null : (active.value ?? start);
    if (first !== null && first < items.length) mark(first);
  }, [items]);
  const point = (/** @type {MouseEvent} */ event) => {
    const option = /** @type {HTMLElement} */ (event.target).closest(".token");
    if (option) mark(Number(option.id.slice(id.length + 1)));
  };
  const move = (/** @type {KeyboardEvent} */ event) => {
    const options = /** @type {HTMLElement[]} */ ([.../** @type {HTMLElement} */ (list.current).querySelectorAll(".token")]);
    const next = moved(event.key, active.value ?? 0, options, direction);
    if (next === null) return;
    event.preventDefault();
    mark(next);
  };

  return html`
    <div class="token-line">
      <div
        ref=${list}
        class=${className}
        role="listbox"
        tabindex="0"
        dir=${direction}
        aria-label=${label}
        aria-activedescendant=${descendant}
        onMouseOver=${point}
        onClick=${point}
        onFocus=${() => active.value === null && items.length > 0 && mark(0)}
        onKeyDown=${move}
      >
        ${chips}
      </div>
      <${Detail} items=${items} active=${active} detail=${detail} />
    </div>
  `;
}

/**
 * In a line that is there before.
 *
 * @param {{ items: any[], active: import("@preact/signals").Signal<number | null>, detail: (item: any, index: number) => ComponentChildren }} props
 */
function Detail({ items, active, detail }) {
  const index = active.value;
  return detail(index === null ? null : (items[index] ?? null), index ?? 0);
}

/**
 * @param {string} key
 * @param {number} index of the active token
 * @param {HTMLElement[]} options
 * @param {"ltr" | "rtl"} direction
 * @returns {number | null} the token that the key leads to
 */
function moved(key, index, options, direction) {
  const last = options.length - 1;
  const forward = direction === "ltr" ? "ArrowRight" : "ArrowLeft";
  const back = direction === "ltr" ? "ArrowLeft" : "ArrowRight";
  if (key === forward) return Math.min(last, index + 1);
  if (key === back) return Math.max(0, index - 1);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowDown") return onOtherLine(options, index, 1);
  if (key === "ArrowUp") return onOtherLine(options, index, -1);
  return null;
}

/** The nearest token one line below or above. @param {HTMLElement[]} options @param {number} index @param {1 | -1} step */
function onOtherLine(options, index, step) {
  const { offsetTop: line, offsetLeft: left } = options[index];
  let found = index;
  let other = line;
  for (let i = index + step; i >= 0 && i < options.length; i += step) {
    const { offsetTop, offsetLeft } = options[i];
    if (offsetTop === line) continue;
    if (other === line) [other, found] = [offsetTop, i];
    if (offsetTop !== other) break;
    if (Math.abs(offsetLeft - left) < Math.abs(options[found].offsetLeft - left)) found = i;
  }
  return found;
}

/** Scroll the box, and never the page. @param {HTMLElement} box @param {HTMLElement} option */
function scrollWithin(box, option) {
  const outer = box.getBoundingClientRect();
  const inner = option.getBoundingClientRect();
  if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top;
  else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}
