/**
 * How a run's charts are looked at: what x counts, the y axis, smoothing, and the range of steps. Pure.
 *
 * @import { Axis } from "./x-scale.js"
 *
 * @typedef {object} Choices remembered from run to run
 * @property {Axis} x
 * @property {boolean} log
 * @property {number} smooth weight of what came before, 0 to 0.99
 *
 * @typedef {{ from: number, to: number }} Range steps
 */

/** @type {Axis[]} */
const AXES = ["step", "tokens", "epoch", "time"];
const MOST_SMOOTHING = 0.99;

/** @type {Choices} */
const USUAL = { x: "step", log: false, smooth: 0.6 };

/**
 * @param {URLSearchParams} query of the link, which wins
 * @param {string | null} remembered what `JSON.stringify(choices)` gave
 * @returns {{ choices: Choices, range: Range | null }} what makes no sense is passed over
 */
export function parseView(query, remembered) {
  const choices = { ...USUAL, ...sensible(parse(remembered)) };
  const linked = { x: query.get("x"), log: query.has("log") ? query.get("log") === "1" : undefined, smooth: decimal(query.get("smooth")) };
  const [from, to] = [decimal(query.get("from")), decimal(query.get("to"))];
  const range = from !== undefined && to !== undefined ? rangeOf(from, to) : null;
  return { choices: { ...choices, ...sensible(linked) }, range };
}

/** @param {Choices} choices @param {Range | null} range @returns {string} the link's query */
export function viewQuery({ x, log, smooth }, range) {
  const query = new URLSearchParams({ x, log: log ? "1" : "0", smooth: String(smooth) });
  if (range) {
    query.set("from", String(range.from));
    query.set("to", String(range.to));
  }
  return query.toString();
}

/** @param {number} a @param {number} b @returns {Range | null} whole steps around both, or null if that is no range */
export function rangeOf(a, b) {
  const from = Math.max(0, Math.floor(Math.min(a, b)));
  const to = Math.ceil(Math.max(a, b));
  return Number.isSafeInteger(to) && to > from ? { from, to } : null;
}

/**
 * @param {Range} range
 * @param {number} around this step keeps its place
 * @param {number} factor below 1 comes nearer
 * @param {number} end the last step there is to see
 * @returns {Range | null} null is the whole run
 */
export function zoomed({ from, to }, around, factor, end) {
  const range = rangeOf(around - (around - from) * factor, around + (to - around) * factor);
  if (!range || range.to - range.from < 2) return { from, to };
  return range.from <= 0 && range.to >= end ? null : { from: range.from, to: Math.min(range.to, end) };
}

/** @param {string | null} text @returns {Record<string, unknown>} */
function parse(text) {
  try {
    return Object(JSON.parse(text ?? "{}"));
  } catch {
    return {}; // not of this page's making
  }
}

/** @param {Record<string, unknown>} given @returns {Partial<Choices>} */
function sensible({ x, log, smooth }) {
  /** @type {Partial<Choices>} */
  const choices = {};
  if (AXES.includes(/** @type {Axis} */ (x))) choices.x = /** @type {Axis} */ (x);
  if (typeof log === "boolean") choices.log = log;
  if (typeof smooth === "number" && smooth >= 0 && smooth <= MOST_SMOOTHING) choices.smooth = smooth;
  return choices;
}

/** @param {string | null} text @returns {number | undefined} */
function decimal(text) {
  return text !== null && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
