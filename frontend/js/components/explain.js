/**
 * Explain this number: whatever bears `data-explain` (a name in stores/learn/numbers.js) or `data-says` (the text itself) is
 * explained where it stands when it is pointed at, focused or tapped. One box for the whole page: thousands of rows cost nothing.
 *
 * As WCAG 1.4.13 asks, Escape closes it, the pointer may go over it, and it stays until pointer or focus leaves.
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { NUMBERS } from "../stores/learn/numbers.js";

const EXPLAINED = "[data-explain], [data-says]";
const BOX = "explanation";
const APPEARS_AFTER_MS = 200;
const STAYS_FOR_MS = 250;
const GAP = 6;

export function Explainer() {
  const target = useSignal(/** @type {HTMLElement | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));

  useEffect(() => follow(target, () => box.current), []);
  useLayoutEffect(() => {
    const [element, place] = [target.value, box.current];
    if (!element || !place) return undefined;
    place.showPopover();
    const put = () => putBeside(place, element);
    put();
    addEventListener("scroll", put, { capture: true, passive: true });
    return () => {
      removeEventListener("scroll", put, { capture: true });
      place.hidePopover();
    };
  }, [target.value]);

  const element = target.value;
  return html`
    <div class="explanation" id=${BOX} role="tooltip" popover="manual" ref=${box}>
      ${element && html`<${Explanation} meaning=${NUMBERS[element.dataset.explain ?? ""]} says=${element.dataset.says} />`}
    </div>
  `;
}

/** @param {{ meaning: import("../stores/learn/numbers.js").Meaning | undefined, says: string | undefined }} props */
function Explanation({ meaning, says }) {
  if (!meaning) return html`<p>${says}</p>`;
  const { what, unit, usual, from } = meaning;
  return html`
    <p>${what}</p>
    <dl>
      ${unit && html`<dt>Unit</dt><dd>${unit}</dd>`}
      ${usual && html`<dt>Usual</dt><dd>${usual}</dd>`}
      <dt>From</dt><dd>${from}</dd>
    </dl>
  `;
}

/**
 * Which element is to be explained, by pointer, focus, tap and Escape.
 *
 * @param {import("@preact/signals").Signal<HTMLElement | null>} target
 * @param {() => HTMLElement | null} box
 */
function follow(target, box) {
  let timer = 0;
  /** @type {HTMLElement | null} */
  let described = null;
  const explainedAt = (/** @type {Event} */ { target: at }) =>
    at instanceof Element ? /** @type {HTMLElement | null} */ (at.closest(EXPLAINED)) : null;
  const show = (/** @type {HTMLElement | null} */ element) => {
    clearTimeout(timer);
    target.value = element?.isConnected ? element : null;
  };
  const describe = (/** @type {HTMLElement | null} */ element) => {
    if (described?.getAttribute("aria-describedby") === BOX) described.removeAttribute("aria-describedby");
    described = element;
    described?.setAttribute("aria-describedby", BOX);
  };
  const events = new AbortController();
  const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ listener, capture = false) =>
    document.addEventListener(type, listener, { signal: events.signal, capture });

  on("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    clearTimeout(timer);
    if (box()?.contains(event.target)) return;
    const element = explainedAt(event);
    if (element !== target.peek()) timer = setTimeout(() => show(element), element ? APPEARS_AFTER_MS : STAYS_FOR_MS);
  });
  on("focusin", (event) => {
    const element = explainedAt(event);
    if (!event.target.matches(":focus-visible") && element) return; // of a click, which follows the link
    describe(element && event.target);
    show(element);
  });
  // The first tap explains, the second one follows the link.
  on("click", (event) => {
    if (event.pointerType !== "touch") return;
    const element = explainedAt(event);
    if (element && element !== target.peek()) event.preventDefault();
    show(element);
  }, true);
  on("keydown", (event) => {
    if (event.key === "Escape" && target.peek()) show(null);
  });
  addEventListener("hashchange", () => show(null), { signal: events.signal });
  return () => events.abort();
}

/** Below the element, or above it where there is more room; within the window. @param {HTMLElement} box @param {HTMLElement} element */
function putBeside(box, element) {
  const at = element.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const below = at.bottom + GAP + height <= innerHeight || at.top < innerHeight - at.bottom;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  box.style.top = `${below ? at.bottom + GAP : at.top - GAP - height}px`;
}
