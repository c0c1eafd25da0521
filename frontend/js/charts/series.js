/**
 * The curves of one run as columns, and what is done to them. Pure: every function gives a new object.
 *
 * A column holds a number, or `null` where a value was NaN or infinite (drawn as a gap), or `undefined` where that row
 * has no such value (the line passes over it).
 *
 * @import { EvaluationEvent, RunEvent, SeriesSnapshot, StepEvent, SystemEvent } from "../types.js"
 *
 * @typedef {(number | null | undefined)[]} Column
 *
 * @typedef {object} Band what a row stands for: one value, or those of neighbours that were merged
 * @property {Column} min over the finite values
 * @property {Column} max over the finite values
 * @property {Column} mean `null` if any of the values was not finite
 *
 * @typedef {typeof BAND_KEYS[number]} Key
 * @typedef {typeof AXIS_KEYS[number]} AxisKey
 *
 * @typedef {object} Series
 * @property {number[]} x steps, rising
 * @property {Record<Key, Band>} bands
 * @property {Record<AxisKey, Column>} axes other measures of how far the run was at that row
 * @property {number} cursor events up to this one are in
 * @property {{ run: string, cursor: number, time: string } | null} newest last event appended
 */

const STEP_KEYS = /** @type {const} */ (["loss", "lr", "grad_norm", "tokens_per_s", "step_ms"]);
const EVALUATION_KEYS = /** @type {const} */ (["validation_loss", "perplexity"]);
const SYSTEM_KEYS = /** @type {const} */ (["cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes"]);
const BAND_KEYS = /** @type {const} */ ([...STEP_KEYS, ...EVALUATION_KEYS, ...SYSTEM_KEYS]);
const AXIS_KEYS = /** @type {const} */ (["tokens", "epoch", "time"]);

/** All that a snapshot must have. @type {readonly (Key | AxisKey)[]} */
export const SERIES_KEYS = [...BAND_KEYS, ...AXIS_KEYS];

/** Points kept before neighbours are merged: more than a wide screen has pixels, few enough to draw every frame. */
const MOST_POINTS = 3000;
const MERGED_POINTS = 1500;

/** @template {string} K, V @param {readonly K[]} keys @param {(key: K) => V} make @returns {Record<K, V>} */
const record = (keys, make) => /** @type {Record<K, V>} */ (Object.fromEntries(keys.map((key) => [key, make(key)])));

/** @returns {Series} */
export function emptySeries() {
  return map(() => [], { cursor: 0, newest: null });
}

/**
 * @param {(column: (series: Series) => Column) => Column} make each column, told where it stands
 * @param {Pick<Series, "cursor" | "newest">} rest
 * @returns {Series}
 */
function map(make, { cursor, newest }) {
  return {
    x: /** @type {number[]} */ (make((series) => series.x)),
    bands: record(BAND_KEYS, (key) => ({
      min: make((series) => series.bands[key].min),
      max: make((series) => series.bands[key].max),
      mean: make((series) => series.bands[key].mean),
    })),
    axes: record(AXIS_KEYS, (key) => make((series) => series.axes[key])),
    cursor,
    newest,
  };
}

/** @param {Series} series @returns {Column[]} all of them, x first */
const columnsOf = ({ x, bands, axes }) => [
  x,
  ...Object.values(bands).flatMap(({ min, max, mean }) => [min, max, mean]),
  ...Object.values(axes),
];

/**
 * @param {SeriesSnapshot} snapshot with SERIES_KEYS; each x is the first step of its bucket
 * @returns {Series}
 */
export function fromSnapshot(snapshot) {
  const absent = (/** @type {(number | null)[]} */ values) => values.map((value) => value ?? undefined);
  const broken = (/** @type {(number | null)[]} */ values, /** @type {number[]} */ where) => {
    /** @type {Column} */
    const column = absent(values);
    for (const index of where) column[index] = null;
    return column;
  };
  return {
    x: snapshot.x,
    bands: record(BAND_KEYS, (key) => {
      const { min, max, mean, nonfinite } = snapshot.series[key];
      const lost = nonfinite.filter((index) => min[index] === null);
      return { min: broken(min, lost), max: broken(max, lost), mean: broken(mean, nonfinite) };
    }),
    axes: record(AXIS_KEYS, (key) => absent(snapshot.series[key].min)),
    cursor: snapshot.stream_cursor,
    newest: null,
  };
}

/**
 * @param {Series} series
 * @param {RunEvent[]} events in order of cursor; those already in are passed over
 * @param {number} [last] steps after this one are left out
 * @returns {Series} the same object if nothing was added or dropped
 */
export function appendEvents(series, events, last = Infinity) {
  const fresh = events.filter((event) => event.cursor > series.cursor && matters(event, last));
  if (!fresh.length) return series;
  const { run, cursor, time } = fresh[fresh.length - 1];
  const next = map((column) => [...column(series)], { cursor, newest: { run, cursor, time } });
  for (const event of fresh) {
    if (event.type === "status") dropAfter(next, /** @type {number} */ (event.resumed_step));
    else add(next, /** @type {StepEvent | EvaluationEvent | SystemEvent} */ (event));
  }
  return next.x.length > MOST_POINTS ? compact(next, MERGED_POINTS) : next;
}

/** @param {RunEvent} event @param {number} last */
function matters(event, last) {
  if (event.type === "status") return event.resumed_step != null;
  return (event.type === "step" || event.type === "evaluation" || event.type === "system") && event.step <= last;
}

/** A worker goes on from a checkpoint: what came after it is made again. @param {Series} series @param {number} step */
function dropAfter(series, step) {
  let rows = series.x.length;
  while (rows && series.x[rows - 1] > step) rows -= 1;
  for (const column of columnsOf(series)) column.length = rows;
}

/** @param {Series} series @param {StepEvent | EvaluationEvent | SystemEvent} event */
function add(series, event) {
  const row = rowOf(series, event.step);
  const { bands, axes } = series;
  if (event.type === "step") {
    for (const key of STEP_KEYS) set(bands[key], row, event[key]);
    axes.tokens[row] = event.tokens;
    axes.epoch[row] = event.epoch;
    axes.time[row] = Date.parse(event.time) / 1000;
  } else if (event.type === "evaluation") {
    set(bands.validation_loss, row, event.loss);
    set(bands.perplexity, row, event.perplexity);
  } else {
    for (const key of SYSTEM_KEYS) include(bands[key], row, event[key]);
  }
}

/** @param {Band} band @param {number} row @param {number | null | undefined} value null is not a number */
function set(band, row, value) {
  band.min[row] = band.max[row] = band.mean[row] = value;
}

/** Of a machine several samples may fall on one step. @param {Band} band @param {number} row @param {number | null | undefined} value null is not known */
function include(band, row, value) {
  if (value == null) return;
  band.min[row] = Math.min(band.min[row] ?? value, value);
  band.max[row] = Math.max(band.max[row] ?? value, value);
  band.mean[row] = value;
}

/** @param {Series} series @param {number} step @returns {number} the index of that step's row, made if need be */
function rowOf(series, step) {
  let row = series.x.length;
  while (row > 0 && series.x[row - 1] > step) row -= 1;
  if (row > 0 && series.x[row - 1] === step) return row - 1;
  for (const column of columnsOf(series)) column.splice(row, 0, undefined);
  series.x[row] = step;
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
    next.x.push(series.x[to - 1]);
    for (const key of BAND_KEYS) mergeBand(series.bands[key], next.bands[key], from, to, key);
    for (const key of AXIS_KEYS) next.axes[key].push(lastNumber(series.axes[key].slice(from, to)) ?? undefined);
  }
  return next;
}

/** @param {Band} band @param {Band} into @param {number} from @param {number} to @param {Key} key */
function mergeBand(band, into, from, to, key) {
  const single = to - from === 1;
  const low = finite(band.min, from, to);
  const high = finite(band.max, from, to);
  const broken = band.mean.slice(from, to).includes(null);
  const none = broken ? null : undefined;
  into.min.push(single ? band.min[from] : low.length ? Math.min(...low) : none);
  into.max.push(single ? band.max[from] : high.length ? Math.max(...high) : none);
  if (single) return void into.mean.push(band.mean[from]);
  const values = finite(band.mean, from, to);
  // Evaluations are few: the latest is a fact, the mean of two would be none.
  const latest = /** @type {readonly string[]} */ (EVALUATION_KEYS).includes(key);
  const mean = latest ? values[values.length - 1] : values.reduce((a, b) => a + b, 0) / values.length;
  into.mean.push(broken ? null : values.length ? mean : undefined);
}

/** @param {Column} column @param {number} from @param {number} to @returns {number[]} */
function finite(column, from, to) {
  return /** @type {number[]} */ (column.slice(from, to).filter((value) => value !== null && value !== undefined));
}

/**
 * Exponential moving average, corrected so that the first values are not drawn towards zero.
 *
 * @param {Column} values
 * @param {number} weight of what came before, 0 to 1
 * @returns {Column} gaps stay gaps
 */
export function smooth(values, weight) {
  if (weight === 0) return values;
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

/** @param {Column} values @returns {boolean} whether there is anything to draw or to mark */
export function hasValues(values) {
  return values.some((value) => value !== undefined);
}
