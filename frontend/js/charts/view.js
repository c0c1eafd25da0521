/**
 * How the charts of a run's page are looked at, shared by all of them, by the samples' slider, and by the link.
 *
 * @import { Range, Choices } from "./view-link.js"
 *
 * @typedef {{ from: number, to: number, title: string }} Span steps, and what is there
 */
import { signal } from "@preact/signals";
import { runLink } from "../router.js";
import { parseView, viewQuery } from "./view-link.js";

const REMEMBERED = "charts";

export class ChartView {
  choices;
  /** Steps in sight; null is the whole run. */
  range;
  /** The step under the pointer or the keyboard's cursor. */
  cursor = signal(/** @type {number | null} */ (null));
  /** The step of the samples that a person chose; null follows the newest. */
  picked = signal(/** @type {number | null} */ (null));
  /** The step that a person put the chart's pin at. */
  pinned = signal(/** @type {number | null} */ (null));
  /** Steps that are shaded in all charts. */
  marked = signal(/** @type {Span | null} */ (null));
  /** What a screen reader is told of the cursor. */
  spoken = signal("");
  #run;

  /** @param {string} run id @param {URLSearchParams} query of the link */
  constructor(run, query) {
    this.#run = run;
    const { choices, range } = parseView(query, localStorage.getItem(REMEMBERED));
    this.choices = signal(choices);
    this.range = signal(range);
  }

  /** The link has been changed by hand, or another to the same run was followed. @param {URLSearchParams} query */
  follow(query) {
    const { choices, range } = parseView(query, localStorage.getItem(REMEMBERED));
    this.choices.value = choices;
    this.range.value = range;
  }

  /** @param {Partial<Choices>} change */
  choose(change) {
    this.choices.value = { ...this.choices.value, ...change };
    localStorage.setItem(REMEMBERED, JSON.stringify(this.choices.value));
    this.#write();
  }

  /** @param {Range | null} range */
  show(range) {
    this.range.value = range;
    this.#write();
  }

  /** @param {Span | null} span */
  mark(span) {
    this.marked.value = span;
  }

  /** The link as it now should be, without a step back in the browser's history for each change. */
  #write() {
    history.replaceState(history.state, "", `${runLink(this.#run)}?${viewQuery(this.choices.value, this.range.value)}`);
  }
}
