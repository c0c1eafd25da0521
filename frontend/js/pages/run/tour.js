/**
 * A tour of a run's page in five notes, each beside what it is about. Shown on the first sample run, and later when asked for.
 *
 * The page stays usable: nothing is covered up but what lies under the note, and Escape ends it.
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { keepToured } from "../../stores/learn/progress.js";

const NARROW = "(max-width: 720px)";
const GAP = 12;

/** @type {{ title: string, text: string, beside: string[] }[]} `beside`: selectors, the first that is there */
const STEPS = [
  {
    title: "This is a run",
    text: "Its name, its status and how far it is. While it is running the model learns; you may close this page, and training goes on.",
    beside: [".run-head"],
  },
  {
    title: "Watch the loss fall",
    text: "Each point is one update of the model: the lower, the better it guesses the next word. Orange dots are text that it never learns from.",
    beside: ['[data-figure="loss"]', ".waiting"],
  },
  {
    title: "What the numbers say",
    text: "As soon as the curves show something, it stands here in a sentence: that the model learns, or what goes wrong and what helps. Point at any number, and it explains itself.",
    beside: [".coach", ".coach-quiet", ".metrics + .notice", ".metrics"],
  },
  {
    title: "Read what it writes",
    text: "At every evaluation the model goes on with a sentence. At first it is noise, then words, then a story. The slider goes back in time.",
    beside: ['[data-part="samples"]'],
  },
  {
    title: "Talk to it",
    text: "When a run has completed, Try the model stands at the top of its page. The Playground also takes the checkpoints of one that is still learning. What all the words mean stands under Learn.",
    beside: ['.run-head a[href^="#/playground"]', 'nav a[href="#/playground"]'],
  },
];

/** @param {{ onEnd: () => void }} props */
export function Tour({ onEnd }) {
  const place = useSignal(0);
  const note = useRef(/** @type {HTMLElement | null} */ (null));
  const ring = useRef(/** @type {HTMLElement | null} */ (null));
  const { title, text, beside } = STEPS[place.value];
  const last = place.value === STEPS.length - 1;

  const end = () => {
    keepToured();
    document.querySelector("main")?.focus({ preventScroll: true });
    onEnd();
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") end();
  };

  useLayoutEffect(() => note.current?.showPopover(), []); // before it is given the focus
  useLayoutEffect(() => {
    const [box, frame] = [note.current, ring.current];
    if (!box || !frame) return undefined;
    bringIntoSight(anchorOf(beside));
    const put = () => putBeside(anchorOf(beside), box, frame);
    put();
    box.focus({ preventScroll: true });
    const observer = new ResizeObserver(put); // charts come, and move what is below them
    observer.observe(document.body);
    addEventListener("scroll", put, { passive: true });
    addEventListener("resize", put);
    return () => {
      observer.disconnect();
      removeEventListener("scroll", put);
      removeEventListener("resize", put);
    };
  }, [place.value]);

  return html`
    <div class="tour-ring" ref=${ring} aria-hidden="true"></div>
    <div
      class="tour"
      ref=${note}
      popover="manual"
      role="dialog"
      tabindex="-1"
      aria-labelledby="tour-title"
      aria-describedby="tour-text"
      onKeyDown=${onKey}
    >
      <h2 id="tour-title">${title}</h2>
      <p id="tour-text">${text}</p>
      <div class="actions">
        <span class="muted">${place.value + 1} of ${STEPS.length}</span>
        ${!last && html`<button type="button" class="link push" onClick=${end}>Skip the tour</button>`}
        ${place.value > 0 && html`<button type="button" class="button small ${last ? "push" : ""}" onClick=${() => (place.value -= 1)}>Back</button>`}
        <button type="button" class="button small primary" onClick=${last ? end : () => (place.value += 1)}>${last ? "Done" : "Next"}</button>
      </div>
    </div>
  `;
}

/** To the middle of the window; on a phone below the bar at the top, as the note lies at the bottom. @param {HTMLElement | null} anchor */
function bringIntoSight(anchor) {
  const bar = document.querySelector(".topbar");
  if (!anchor || bar?.contains(anchor)) return;
  if (!matchMedia(NARROW).matches) anchor.scrollIntoView({ block: "center" });
  else scrollBy(0, anchor.getBoundingClientRect().top - (bar?.getBoundingClientRect().height ?? 0) - GAP);
}

/** @param {string[]} selectors @returns {HTMLElement | null} */
function anchorOf(selectors) {
  for (const selector of selectors) {
    const found = /** @type {HTMLElement | null} */ (document.querySelector(selector));
    if (found) return found;
  }
  return null;
}

/**
 * The ring around the anchor, and the note below it, beside it or above it, wherever there is room; on a phone the note
 * keeps to the lower edge of the screen.
 *
 * @param {HTMLElement | null} anchor
 * @param {HTMLElement} note
 * @param {HTMLElement} ring
 */
function putBeside(anchor, note, ring) {
  if (!anchor) return;
  const at = anchor.getBoundingClientRect();
  const { width, height } = note.getBoundingClientRect();
  const px = (/** @type {number} */ value) => `${Math.round(value)}px`;
  Object.assign(ring.style, { left: px(at.left - 4), top: px(at.top - 4), width: px(at.width + 8), height: px(at.height + 8) });
  if (matchMedia(NARROW).matches) {
    Object.assign(note.style, { left: "", top: "" });
    return;
  }
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  if (at.bottom + GAP + height <= innerHeight) Object.assign(note.style, { left: px(left), top: px(at.bottom + GAP) });
  else if (at.top - GAP - height >= 0) Object.assign(note.style, { left: px(left), top: px(at.top - GAP - height) });
  else Object.assign(note.style, { left: px(Math.max(8, at.right - width - GAP)), top: px(Math.max(8, at.top + GAP)) });
}
