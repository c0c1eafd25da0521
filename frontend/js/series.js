/**
 * The curves of one run as columns, and what is done to them. Pure: every function gives a new object.
 *
 * A column holds a number, or `null` where the value was NaN or infinite (drawn as a gap), or `undefined` where that
 * step has no such value (the line passes over it).
 *
 * @import { EvaluationEvent, RunEvent, SeriesSnapshot, StepEvent } from "./types.js"
 *
 * @typedef {(number | null | undefined)[]} Column
 *
 * @typedef {object} Series
 * @property {number[]} x steps, rising
 * @property {Column} mean training loss
 * @property {Column} min lowest loss of the steps that this point stands for
 * @property {Column} max highest
 * @property {Column} validation
 * @property {Column} lr
 * @property {number} cursor events up to this one are in
 * @property {{ run: string, cursor: number, time: string } | null} newest last event appended
 */

/** Points kept before neighbours are merged: more than a wide screen has pixels, few enough to draw every frame. */
const MOST_POINTS = 3000;
const MERGED_POINTS = 1500;

/** @type {("mean" | "min" | "max" | "validation" | "lr")[]} */
const COLUMNS = ["mean", "min", "max", "validation", "lr"];

/** @returns {Series} */
export function emptySeries() {
  return { x: [], mean: [], min: [], max: [], validation: [], lr: [], cursor: 0, newest: null };
}

/**
 * @param {SeriesSnapshot} snapshot with the keys loss, lr and validation_loss
 * @returns {Series}
 */
export function fromSnapshot(snapshot) {
  const { loss, lr, validation_loss: validation } = snapshot.series;
  const absent = (/** @type {number | null} */ value) => value ?? undefined;
  // A step that has a learning rate has a loss too; if that is null, it was not a number.
  const trained = (/** @type {number | null} */ value, /** @type {number} */ i) => value ?? (lr.mean[i] === null ? undefined : null);
  return {
    x: snapshot.x,
    mean: loss.mean.map(trained),
    min: loss.min.map(trained),
    max: loss.max.map(trained),
    validation: validation.mean.map(absent),
    lr: lr.mean.map(absent),
    cursor: snapshot.stream_cursor,
    newest: null,
  };
}

/**
 * @param {Series} series
 * @param {RunEvent[]} events in order of cursor; those already in are passed over
 * @returns {Series} the same object if nothing was added or dropped
 */
export function appendEvents(series, events) {
  const fresh = events.filter((event) => matters(event) && event.cursor > series.cursor);
  if (!fresh.length) return series;
  const next = { ...series, x: [...series.x] };
  for (const name of COLUMNS) next[name] = [...series[name]];
  for (const event of fresh) {
    if (event.type === "status") dropAfter(next, /** @type {number} */ (event.resumed_step));
    else add(next, /** @type {StepEvent | EvaluationEvent} */ (event));
  }
  const { run, cursor, time } = fresh[fresh.length - 1];
  next.cursor = cursor;
  next.newest = { run, cursor, time };
  return next.x.length > MOST_POINTS ? compact(next, MERGED_POINTS) : next;
}

/** @param {RunEvent} event */
function matters(event) {
  return event.type === "step" || event.type === "evaluation" || (event.type === "status" && event.resumed_step != null);
}

/** A worker goes on from a checkpoint: what came after it is made again. @param {Series} series @param {number} step */
function dropAfter(series, step) {
  while (series.x.length && series.x[series.x.length - 1] > step) {
    series.x.pop();
    for (const name of COLUMNS) series[name].pop();
  }
}

/** @param {Series} series @param {StepEvent | EvaluationEvent} event */
function add(series, event) {
  const row = rowOf(series, event.step);
  if (event.type === "evaluation") {
    series.validation[row] = event.loss;
  } else {
    series.mean[row] = series.min[row] = series.max[row] = event.loss;
    series.lr[row] = event.lr;
  }
}

/** @param {Series} series @param {number} step @returns {number} the index of that step's row, made if need be */
function rowOf(series, step) {
  let row = series.x.length;
  while (row > 0 && series.x[row - 1] > step) row -= 1;
  if (row > 0 && series.x[row - 1] === step) return row - 1;
  series.x.splice(row, 0, step);
  for (const name of COLUMNS) series[name].splice(row, 0, undefined);
  return row;
}

/**
 * Merge neighbours into at most about `points` points. Highest and lowest survive, so no spike is lost, and so does NaN.
 *
 * @param {Series} series
 * @param {number} points
 * @returns {Series}
 */
export function compact(series, points) {
  // Powers of two, so that the buckets of a later merge are made of whole earlier ones and points stay evenly spread.
  const width = 2 ** Math.ceil(Math.log2((series.x[series.x.length - 1] - series.x[0] + 1) / points));
  const bucket = (/** @type {number} */ step) => Math.floor(step / width);
  const next = { ...emptySeries(), cursor: series.cursor, newest: series.newest };
  for (let from = 0, to = 0; from < series.x.length; from = to) {
    while (to < series.x.length && bucket(series.x[to]) === bucket(series.x[from])) to += 1;
    const cut = (/** @type {Column} */ column) => column.slice(from, to);
    next.x.push(series.x[to - 1]);
    next.mean.push(merge(cut(series.mean), (numbers) => numbers.reduce((a, b) => a + b) / numbers.length));
    next.min.push(merge(cut(series.min), (numbers) => Math.min(...numbers)));
    next.max.push(merge(cut(series.max), (numbers) => Math.max(...numbers)));
    next.validation.push(merge(cut(series.validation), (numbers) => numbers[numbers.length - 1]));
    next.lr.push(merge(cut(series.lr), (numbers) => numbers[numbers.length - 1]));
  }
  return next;
}

/**
 * @param {Column} values
 * @param {(numbers: number[]) => number} how
 */
function merge(values, how) {
  if (values.includes(null)) return null;
  const numbers = /** @type {number[]} */ (values.filter((value) => value !== undefined));
  return numbers.length ? how(numbers) : undefined;
}

/**
 * Exponential moving average, corrected so that the first values are not drawn towards zero.
 *
 * @param {Column} values
 * @param {number} weight of what came before, 0 to 1
 * @returns {Column} gaps stay gaps
 */
export function smooth(values, weight) {
  let average = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    average = weight * average + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return average / total;
  });
}

/**
 * @param {Column} values
 * @param {number} [end] look only before this index
 * @returns {number | null} the last number
 */
export function lastNumber(values, end = values.length) {
  for (let i = Math.min(end, values.length) - 1; i >= 0; i -= 1) {
    const value = values[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
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
