/**
 * Tokens in reading order: one stop for the keyboard, in which the arrow keys move.
 *
 * @import { Signal } from "@preact/signals"
 * @import { ComponentChildren } from "preact"
 * @import { Token } from "../../types.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useId, useMemo, useRef } from "preact/hooks";
import { count } from "../../format.js";
import { directionOf, noteOf, STATES, visible } from "../../stores/data/token-text.js";

/**
 * @template {{ text: string }} T
 * @param {object} props
 * @param {T[]} props.tokens
 * @param {string} props.label
 * @param {(token: T) => Record<string, unknown>} [props.attributesOf] what a token looks like; as training sees it without
 * @param {(props: { token: any }) => ComponentChildren} [props.detail] what is told of the active one
 */
export function TokenLine({ tokens, label, attributesOf = stateOf, detail = Trained }) {
  const id = useId();
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const active = useSignal(/** @type {number | null} */ (null));
  // Hundreds of them, so they are made once and only two are touched when another becomes the active one.
  const chips = useMemo(() => tokens.map((token, i) => html`<${Chip} token=${token} attributes=${attributesOf(token)} id=${`${id}-${i}`} />`), [tokens]);
  const descendant = useComputed(() => (active.value === null ? undefined : `${id}-${active.value}`));

  const mark = (/** @type {number | null} */ index) => {
    const box = /** @type {HTMLElement} */ (list.current);
    for (const option of box.querySelectorAll('[aria-selected="true"]')) option.setAttribute("aria-selected", "false");
    active.value = index;
    if (index === null) return;
    const option = /** @type {HTMLElement} */ (box.querySelectorAll(".token")[index]);
    option.setAttribute("aria-selected", "true");
    scrollWithin(box, option);
  };
  const hover = (/** @type {MouseEvent} */ event) => {
    const option = /** @type {HTMLElement} */ (event.target).closest(".token");
    if (option) mark(Number(option.id.slice(id.length + 1)));
  };
  const move = (/** @type {KeyboardEvent} */ event) => {
    const options = /** @type {HTMLElement[]} */ ([.../** @type {HTMLElement} */ (list.current).querySelectorAll(".token")]);
    const next = moved(event.key, active.value ?? 0, options, directionOf(tokens));
    if (next === null) return;
    event.preventDefault();
    mark(next);
  };

  return html`
    <div class="token-line">
      <div
        ref=${list}
        class="tokens"
        role="listbox"
        tabindex="0"
        dir=${directionOf(tokens)}
        aria-label=${label}
        aria-activedescendant=${descendant}
        onMouseOver=${hover}
        onClick=${hover}
        onFocus=${() => active.value === null && mark(0)}
        onKeyDown=${move}
      >
        ${chips}
      </div>
      <${Detail} tokens=${tokens} active=${active} detail=${detail} />
    </div>
  `;
}

/** @param {any} token a Token */
const stateOf = ({ state, start }) => ({ "data-state": state, "data-start": start ? "" : undefined });

/** @param {{ token: { text: string }, attributes: Record<string, unknown>, id: string }} props */
function Chip({ token: { text }, attributes, id }) {
  return html`<bdi
      class="token"
      role="option"
      aria-selected="false"
      id=${id}
      ...${attributes}
      dir="auto"
      >${visible(text)}</bdi
    >${text.includes("\n") && html`<br />`}`;
}

/**
 * What is known of the active token, in a line that is there before.
 *
 * @param {{ tokens: any[], active: Signal<number | null>, detail: (props: any) => ComponentChildren }} props
 */
function Detail({ tokens, active, detail }) {
  const index = active.value;
  const token = index === null ? null : tokens[index];
  if (index === null || !token) {
    return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  }
  const note = noteOf(token.text);
  return html`
    <p class="token-detail" role="status">
      <span class="muted">${count(index + 1)} of ${count(tokens.length)}</span>
      <bdi class="token-text" dir="auto">${visible(token.text)}</bdi>
      <span>id ${token.id}</span>
      <${detail} token=${token} />
      ${note && html`<span class="muted">${note}</span>`}
    </p>
  `;
}

/** @param {{ token: Token }} props */
function Trained({ token: { state, start } }) {
  const [name, meaning] = STATES[state];
  return html`<span title=${meaning}>${name}</span> ${start && html`<span class="muted">an example begins here</span>`}`;
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
