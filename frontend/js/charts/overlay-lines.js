/**
 * Curves of several runs in one chart: how each is made from a snapshot, grows by events, and is averaged over seeds. Pure
 * but for `append`, which changes the line it is given, as a line grows many times a second.
 *
 * @import { RunEvent, RunSeries } from "../types.js"
 *
 * @typedef {"step" | "tokens" | "time"} Axis
 *
 * @typedef {object} Line points with a null where a value was not a number
 * @property {number[]} steps first step of each point, rising
 * @property {number[]} x
 * @property {(number | null)[]} y
 * @property {number[]} counts values that each y is the mean of
 * @property {number} width steps that a point stands for
 * @property {number} start seconds since 1970 at x 0, by time
 * @property {number} cursor events up to this one are in
 *
 * @typedef {object} Metric
 * @property {string} key of the series
 * @property {string} title
 * @property {string} short what the value axis says
 * @property {"step" | "evaluation"} type of event
 * @property {string} field of the event
 */

/** @type {Metric[]} */
export const METRICS = [
  { key: "loss", title: "Training loss", short: "loss (nats per token)", type: "step", field: "loss" },
  { key: "validation_loss", title: "Validation loss", short: "loss (nats per token)", type: "evaluation", field: "loss" },
  { key: "perplexity", title: "Perplexity", short: "perplexity", type: "evaluation", field: "perplexity" },
  { key: "lr", title: "Learning rate", short: "learning rate", type: "step", field: "lr" },
  { key: "grad_norm", title: "Gradient norm", short: "gradient norm", type: "step", field: "grad_norm" },
  { key: "tokens_per_s", title: "Tokens/s", short: "tokens per second", type: "step", field: "tokens_per_s" },
];

export const MOST_POINTS = 500;

/** Keys to ask the server for. @param {Metric} metric @param {Axis} axis */
export const keysFor = (metric, axis) => (axis === "step" ? [metric.key] : [metric.key, axis]);

/**
 * @param {RunSeries} snapshot with the metric's key, and the axis's
 * @param {Metric} metric
 * @param {Axis} axis
 * @returns {Line}
 */
export function lineOf(snapshot, metric, axis) {
  const { mean, nonfinite } = snapshot.series[metric.key];
  const along = axis === "step" ? snapshot.x : carried(snapshot.series[axis].mean);
  const broken = new Set(nonfinite);
  const start = axis === "time" ? (along.find((value) => value > 0) ?? 0) : 0;
  const range = (snapshot.to ?? 0) - (snapshot.from ?? 0);
  /** @type {Line} */
  const line = { steps: [], x: [], y: [], counts: [], width: Math.ceil((range + 1) / MOST_POINTS), start, cursor: snapshot.stream_cursor };
  snapshot.x.forEach((step, i) => {
    const gap = broken.has(i);
    if (mean[i] === null && !gap) return; // nothing of this metric in that bucket
    push(line, step, Math.max(0, along[i] - start), gap ? null : mean[i]);
  });
  return line;
}

/** Where a bucket has no value of its own, as at an evaluation, the one before holds. @param {(number | null)[]} values */
function carried(values) {
  let last = 0;
  return values.map((value) => (last = value ?? last));
}

/** @param {Line} line @param {number} step @param {number} x @param {number | null} y @param {number} [count] values that y is the mean of */
function push(line, step, x, y, count = 1) {
  line.steps.push(step);
  line.x.push(x);
  line.y.push(y);
  line.counts.push(count);
}

/**
 * @param {Line} line
 * @param {RunEvent} event of the line's run; one that is in already is passed over
 * @param {Metric} metric
 * @param {Axis} axis
 * @returns {boolean} whether the line has changed
 */
export function append(line, event, metric, axis) {
  if (event.cursor <= line.cursor) return false;
  line.cursor = event.cursor;
  if (event.type === "status") return event.resumed_step != null && dropAfter(line, event.resumed_step);
  if (event.type !== metric.type) return false;
  const value = /** @type {Record<string, any>} */ (event)[metric.field];
  add(line, event.step, alongOf(line, event, axis), value);
  if (line.x.length > MOST_POINTS) widen(line);
  return true;
}

/** @param {Line} line @param {Extract<RunEvent, { type: "step" | "evaluation" }>} event @param {Axis} axis */
function alongOf(line, event, axis) {
  if (axis === "step") return event.step;
  const last = line.x.at(-1) ?? 0;
  if (axis === "tokens") return event.type === "step" ? event.tokens : last;
  const seconds = Date.parse(event.time) / 1000;
  line.start ||= seconds;
  return Math.max(last, seconds - line.start);
}

/** Of a run that starts over the untrained model is measured again too. @param {Line} line @param {number} step @returns {boolean} */
function dropAfter(line, step) {
  const kept = step === 0 ? 0 : line.steps.filter((each) => each <= step).length;
  const dropped = kept < line.steps.length;
  for (const column of [line.steps, line.x, line.y, line.counts]) column.length = kept;
  return dropped;
}

/** Into the last point if the step belongs to it, else as a new one. @param {Line} line @param {number} step @param {number} x @param {number | null} y @param {number} [count] */
function add(line, step, x, y, count = 1) {
  const last = line.steps.length - 1;
  if (last < 0 || Math.floor(line.steps[last] / line.width) !== Math.floor(step / line.width)) return push(line, step, x, y, count);
  const before = line.y[last];
  const total = line.counts[last] + count;
  line.y[last] = y === null || before === null ? null : before + ((y - before) * count) / total;
  line.counts[last] = total;
}

/** Points of twice the width, until there are few enough. @param {Line} line */
function widen(line) {
  const { steps, x, y, counts } = line;
  line.width *= 2;
  Object.assign(line, { steps: [], x: [], y: [], counts: [] });
  steps.forEach((step, i) => add(line, step, x[i], y[i], counts[i]));
}

/**
 * @param {{ x: number[], y: (number | null)[] }} line
 * @param {number} x
 * @returns {number | null} the line's value there, between two points; null beyond its ends and in its gaps
 */
export function valueAt({ x: xs, y: ys }, x) {
  if (!xs.length || x < xs[0] || x > xs[xs.length - 1]) return null;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  const [from, to] = [ys[low], ys[high]];
  if (x === xs[low]) return from;
  if (x === xs[high]) return to;
  if (from === null || to === null) return null;
  return from + ((to - from) * (x - xs[low])) / (xs[high] - xs[low]);
}

/**
 * @param {{ x: number[], y: (number | null)[] }[]} lines of runs that repeat each other with other seeds
 * @returns {{ x: number[], y: (number | null)[], low: (number | null)[], high: (number | null)[] }} their mean, lowest and
 *   highest, as far as all of them go
 */
export function bandOf(lines) {
  const known = lines.filter((line) => line.x.length);
  if (!known.length) return { x: [], y: [], low: [], high: [] };
  const from = Math.max(...known.map((line) => line.x[0]));
  const to = Math.min(...known.map((line) => line.x[line.x.length - 1]));
  const finest = known.reduce((a, b) => (b.x.length > a.x.length ? b : a));
  const x = finest.x.filter((value) => value >= from && value <= to);
  const rows = x.map((value) => {
    const found = known.map((line) => valueAt(line, value));
    return found.includes(null) ? null : /** @type {number[]} */ (found);
  });
  return {
    x,
    y: rows.map((row) => row && row.reduce((a, b) => a + b) / row.length),
    low: rows.map((row) => row && Math.min(...row)),
    high: rows.map((row) => row && Math.max(...row)),
  };
}
