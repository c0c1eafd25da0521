/**
 * What the coach finds of a run, as the page keeps it. Pure.
 *
 * @import { FindingEvent, HeldFinding, RunFinding } from "../types.js"
 */
import * as format from "../format.js";

/** @type {RunFinding["level"][]} */
const WORST_FIRST = ["error", "warning", "info", "good"];

/** @param {Pick<RunFinding, "level">} finding */
export const isAlarm = ({ level }) => level === "error" || level === "warning";

/**
 * @param {RunFinding[]} before
 * @param {FindingEvent} event
 * @returns {RunFinding[]} those that hold after it, the worst first
 */
export function withFinding(before, { rule, level, title, holds }) {
  const others = before.filter((each) => each.rule !== rule);
  if (!holds) return others;
  const place = others.findLastIndex((each) => severity(each) <= severity({ level })) + 1;
  return others.toSpliced(place, 0, { rule, level, title });
}

/** @param {Pick<RunFinding, "level">} finding */
const severity = ({ level }) => WORST_FIRST.indexOf(level);

/**
 * Whether an event tells of something wrong that was not so before: not the same again with new numbers.
 *
 * @param {RunFinding[]} before
 * @param {FindingEvent} event
 */
export function isNews(before, event) {
  return event.holds && isAlarm(event) && !before.some(({ rule, level }) => rule === event.rule && level === event.level);
}

/** What goes beyond learning well. @param {HeldFinding[]} findings */
export const concerns = (findings) => findings.filter(({ level }) => level !== "good");

/** @param {HeldFinding["evidence"]} evidence @returns {[name: string, value: string][]} */
export function evidenceRows(evidence) {
  return Object.entries(evidence).map(([name, value]) => [name.replaceAll("_", " "), valueText(value)]);
}

/** @param {unknown} value @returns {string} */
function valueText(value) {
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([name, each]) => `${name}: ${valueText(each)}`).join(", ");
  }
  if (typeof value !== "number") return value === null ? "not a number" : String(value);
  return Number.isInteger(value) ? format.count(value) : format.number(value);
}

/** Whether it is about updates, and not about what was there before the first. @param {Pick<HeldFinding, "step">} finding */
export const hasPlace = ({ step }) => step > 0;

/** @param {Pick<HeldFinding, "step" | "from_step">} finding */
export function placeText({ step, from_step: from }) {
  if (!hasPlace({ step })) return "before the first update";
  return step === from ? `step ${format.count(step)}` : `steps ${format.count(from)} to ${format.count(step)}`;
}
