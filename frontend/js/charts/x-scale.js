/**
 * What the x axis of a run's charts counts, and where its ticks are. A range is kept in steps whatever it counts. Pure.
 *
 * @import { AxisKey, Column, Series } from "./series.js"
 *
 * @typedef {"step" | AxisKey} Axis
 *
 * @typedef {object} XScale
 * @property {string} title on its button
 * @property {string} unit of the values, as in "by step"
 * @property {number[]} strides that ticks may have
 * @property {number} space between ticks at least, in CSS pixels
 * @property {(value: number) => string} format
 */
import * as format from "../format.js";

const WHOLE = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
const FRACTIONS = Array.from({ length: 6 }, (_, power) => [1, 2, 5].map((digit) => Number(`${digit}e${power - 6}`))).flat();
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** @type {Record<Axis, XScale>} */
export const X_SCALES = {
  step: { title: "Step", unit: "step", strides: WHOLE, space: 76, format: format.count },
  tokens: { title: "Tokens", unit: "trained tokens", strides: WHOLE, space: 64, format: format.short },
  epoch: { title: "Epoch", unit: "epoch", strides: [...FRACTIONS, ...WHOLE], space: 64, format: format.number },
  time: {
    title: "Time",
    unit: "time since the first step",
    strides: [
      ...[1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE],
      ...[HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY, 100 * DAY],
    ],
    space: 96,
    format: format.duration,
  },
};

/**
 * @param {Series} series
 * @param {Axis} axis
 * @param {number} [origin] of time: seconds since 1970 at which the run began to train
 * @returns {number[]} one value per row, never falling; rows that told none are put between their neighbours
 */
export function axisColumn(series, axis, origin = 0) {
  if (axis === "step") return series.x;
  const { x } = series;
  const told = series.axes[axis];
  const known = x.map((_, i) => i).filter((i) => told[i] != null);
  const values = new Array(x.length);
  let high = -Infinity; // a clock that was set back must not fold the curve
  let next = 0;
  for (let i = 0; i < x.length; i += 1) {
    while (next < known.length && known[next] < i) next += 1;
    const value = between(x, told, known, next, i, axis) - (axis === "time" ? origin : 0);
    values[i] = high = Math.max(high, value);
  }
  return values;
}

/**
 * @param {number[]} x
 * @param {Column} told
 * @param {number[]} known indices that have a value
 * @param {number} next the place in `known` of the first index that is not before `i`
 * @param {number} i
 * @param {Axis} axis
 */
function between(x, told, known, next, i, axis) {
  const at = (/** @type {number} */ place) => /** @type {number} */ (told[known[place]]);
  if (!known.length) return axis === "time" ? 0 : x[i];
  if (next === known.length) return at(next - 1);
  if (known[next] === i) return at(next);
  // Before the first update nothing has been learned from; its clock is not known, so it stands at the first one's.
  const [fromStep, from] = next ? [x[known[next - 1]], at(next - 1)] : axis === "time" ? [0, at(0)] : [0, 0];
  const toStep = x[known[next]];
  return toStep === fromStep ? at(next) : from + ((at(next) - from) * (x[i] - fromStep)) / (toStep - fromStep);
}

/**
 * Follow a line given by points, straight between them, and on beyond the last at its mean slope.
 *
 * @param {number[]} from rising
 * @param {number[]} to as long
 * @param {number} value
 * @returns {number}
 */
export function translate(from, to, value) {
  if (from === to) return value;
  const last = from.length - 1;
  if (last < 0) return value;
  const high = indexFrom(from, value);
  if (high === 0) return to[0];
  if (high > last) {
    const slope = from[last] > from[0] ? (to[last] - to[0]) / (from[last] - from[0]) : 0;
    return to[last] + (value - from[last]) * slope;
  }
  const width = from[high] - from[high - 1];
  const share = width > 0 ? (value - from[high - 1]) / width : 1;
  return to[high - 1] + share * (to[high] - to[high - 1]);
}

/** @param {number[]} values rising @param {number} value @returns {number} the index of the first that is not less */
export function indexFrom(values, value) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {number[]} values rising @param {number} value @returns {number} the index of the last that is not more, or 0 */
export function indexAt(values, value) {
  const index = indexFrom(values, value);
  return values[index] === value ? index : Math.max(0, index - 1);
}

/**
 * Where the step axis ends. While a run goes on it grows in strides, so that the curve does not slide at every step.
 *
 * @param {number} last step so far
 * @param {number | null} total steps planned
 * @param {boolean} active whether more are to come
 */
export function horizon(last, total, active) {
  if (!active) return Math.max(last, 1);
  let end = 50;
  while (end < last) end *= 2;
  return Math.max(last, total === null ? end : Math.min(end, total));
}

/**
 * @param {number} low above 0
 * @param {number} high
 * @returns {number[]} ticks of a logarithmic axis: 1, 2, 5 per decade; all nine, or evenly spread ones, where it is short
 */
export function logTicks(low, high) {
  for (const digits of [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const ticks = decades(low, high).flatMap((decade) => digits.map((digit) => digit * decade));
    const inside = ticks.filter((tick) => tick >= low && tick <= high);
    if (inside.length >= 3) return inside;
  }
  const stride = niceStride((high - low) / 4);
  const first = Math.ceil(low / stride);
  const count = Math.floor(high / stride) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * stride).toPrecision(12)));
}

/** @param {number} low @param {number} high @returns {number[]} powers of ten around the range */
function decades(low, high) {
  const first = Math.floor(Math.log10(low));
  return Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => Number(`1e${first + i}`));
}

/** @param {number} stride @returns {number} the next larger of 1, 2 and 5 times a power of ten */
function niceStride(stride) {
  const decade = 10 ** Math.floor(Math.log10(stride));
  return decade * (/** @type {number} */ ([1, 2, 5, 10].find((digit) => digit * decade >= stride)));
}
