import assert from "node:assert/strict";
import test from "node:test";
import { SERIES_KEYS, appendEvents, compact, emptySeries, fromSnapshot, lastNumber, smooth } from "../../../frontend/js/charts/series.js";

const step = (/** @type {number} */ n, /** @type {number | null} */ loss, cursor = n) => ({
  type: "step", run: "r", cursor, time: `t${cursor}`, step: n, loss, lr: n / 1000,
});
const evaluation = (/** @type {number} */ n, /** @type {number | null} */ loss, /** @type {number} */ cursor) => ({
  type: "evaluation", run: "r", cursor, time: `t${cursor}`, step: n, loss,
});
const append = (/** @type {any} */ series, /** @type {any[]} */ events) => appendEvents(series, events);

test("steps and evaluations of one step share a row", () => {
  const series = append(emptySeries(), [evaluation(0, 7, 1), step(1, 6, 2), step(2, 5, 3), evaluation(2, 5.5, 4)]);
  assert.deepEqual(series.x, [0, 1, 2]);
  assert.deepEqual(series.bands.loss.mean, [undefined, 6, 5]);
  assert.deepEqual(series.bands.validation_loss.mean, [7, undefined, 5.5]);
  assert.deepEqual(series.newest, { run: "r", cursor: 4, time: "t4" });
});

test("an event that is already in changes nothing", () => {
  const once = append(emptySeries(), [step(1, 6), step(2, 5)]);
  assert.equal(append(once, [step(1, 9), step(2, 9)]), once);
  assert.deepEqual(append(once, [step(2, 9, 2), step(3, 4, 3)]).bands.loss.mean, [6, 5, 4]);
});

test("events of other types are no points, and the old object stays as it was", () => {
  const before = append(emptySeries(), [step(1, 6)]);
  assert.equal(append(before, [{ type: "message", run: "r", cursor: 2, time: "t2", text: "hello" }]), before);
  append(before, [step(2, 5)]);
  assert.deepEqual(before.x, [1]);
});

const resumed = (/** @type {number} */ n, /** @type {number} */ cursor) => ({
  type: "status", run: "r", cursor, time: `t${cursor}`, phase: "training", resumed_step: n,
});

test("a worker that goes on from a checkpoint makes later points again, so the curve does not double back", () => {
  const before = append(emptySeries(), [evaluation(0, 7, 1), step(1, 6, 2), step(2, 5, 3), step(3, 9, 4), evaluation(3, 8, 5)]);
  const going = append(before, [resumed(2, 6)]);
  assert.deepEqual([going.x, going.bands.loss.mean, going.bands.validation_loss.mean], [[0, 1, 2], [undefined, 6, 5], [7, undefined, undefined]]);
  const on = append(going, [step(3, 4, 7), step(4, 3, 8)]);
  assert.deepEqual([on.x, on.bands.loss.mean], [[0, 1, 2, 3, 4], [undefined, 6, 5, 4, 3]]);
  assert.deepEqual(append(before, [resumed(2, 6), step(3, 4, 7), step(4, 3, 8)]), on, "all in one frame");
  assert.equal(append(on, [resumed(2, 6)]), on, "sent again, it drops nothing");
  assert.deepEqual(before.x, [0, 1, 2, 3], "the old object stays as it was");
  assert.deepEqual(append(on, [resumed(0, 9)]).x, [0], "starting over keeps the untrained model's check");
});

test("a late evaluation finds its place", () => {
  const series = append(emptySeries(), [step(10, 6, 1), step(20, 5, 2), evaluation(15, 5.8, 3)]);
  assert.deepEqual(series.x, [10, 15, 20]);
  assert.deepEqual(series.bands.loss.mean, [6, undefined, 5]);
  assert.deepEqual(series.bands.lr.mean, [0.01, undefined, 0.02]);
});

/** @param {Record<string, any>} given @param {number} rows */
const snapshot = (given, rows, x = Array.from({ length: rows }, (_, i) => i)) => {
  const none = Array(rows).fill(null);
  const band = (/** @type {string} */ key) => ({ min: given[key] ?? none, max: given[key] ?? none, mean: given[key] ?? none, nonfinite: given[`${key}_bad`] ?? [] });
  return /** @type {any} */ ({ x, series: Object.fromEntries(SERIES_KEYS.map((key) => [key, band(key)])), stream_cursor: 2 });
};

test("NaN is a gap, a missing value is not", () => {
  const live = append(emptySeries(), [evaluation(0, 7, 1), step(1, null, 2)]);
  assert.deepEqual(live.bands.loss.mean, [undefined, null]);
  const fetched = fromSnapshot(snapshot({ loss_bad: [1], lr: [null, 0.001], validation_loss: [7, null] }, 2));
  for (const key of /** @type {const} */ (["loss", "validation_loss", "lr"])) assert.deepEqual(fetched.bands[key], live.bands[key]);
});

test("a bucket with a NaN breaks the line and keeps its spike", () => {
  const fetched = fromSnapshot(snapshot({ loss: [2, 99, 2], loss_bad: [1] }, 3));
  assert.deepEqual(fetched.bands.loss, { min: [2, 99, 2], max: [2, 99, 2], mean: [2, null, 2] });
  const merged = compact(append(fetched, [step(3, 2)]), 1);
  assert.deepEqual([merged.bands.loss.max, merged.bands.loss.mean], [[99], [null]]);
});

test("of the machine several samples may fall on one step, and what is not known is no NaN", () => {
  const sample = (/** @type {number} */ cpu, /** @type {number} */ cursor) => ({
    type: "system", run: "r", cursor, time: `t${cursor}`, step: 1, cpu_percent: cpu, gpu_percent: null,
  });
  const { bands, x } = append(emptySeries(), [step(1, 6, 1), sample(20, 2), sample(90, 3), sample(50, 4)]);
  assert.deepEqual([x, bands.loss.mean], [[1], [6]]);
  assert.deepEqual(bands.cpu_percent, { min: [20], max: [90], mean: [50] });
  assert.deepEqual(bands.gpu_percent.mean, [undefined]);
});

test("a range takes no steps after its end, but it is rolled back", () => {
  const range = appendEvents(emptySeries(), /** @type {any[]} */ ([step(1, 6), step(2, 5), step(3, 4)]), 2);
  assert.deepEqual(range.x, [1, 2]);
  assert.equal(appendEvents(range, /** @type {any[]} */ ([step(4, 4)]), 2), range);
  assert.deepEqual(appendEvents(range, /** @type {any[]} */ ([resumed(1, 9)]), 2).x, [1]);
});

test("merging keeps spikes, gaps, order and the last point", () => {
  const events = Array.from({ length: 1000 }, (_, i) => step(i + 1, i === 500 ? 99 : i === 700 ? null : 2));
  const series = compact(append(emptySeries(), events), 100);
  assert.ok(series.x.length <= 101, String(series.x.length));
  assert.equal(series.x.at(-1), 1000);
  assert.equal(Math.max(...series.bands.loss.max.map((value) => value ?? 0)), 99);
  assert.equal(series.bands.loss.mean.filter((value) => value === null).length, 1);
  assert.deepEqual([...series.x].sort((a, b) => a - b), series.x);
});

test("of evaluations that are merged the latest counts, of steps the mean", () => {
  const series = append(emptySeries(), [
    ...[step(1, 6, 1), evaluation(1, 7, 2), step(2, 2, 3), evaluation(2, 3, 4), step(3, 5, 5), evaluation(3, 4, 6)],
  ]);
  const { bands, x } = compact(series, 1);
  assert.equal(x.length, 1);
  assert.deepEqual(bands.validation_loss, { min: [3], max: [7], mean: [4] });
  assert.equal(bands.loss.min[0], 2);
  assert.equal(bands.loss.max[0], 6);
  assert.ok(Math.abs(Number(bands.loss.mean[0]) - 13 / 3) < 1e-9, String(bands.loss.mean[0]));
});

test("a long run stays small, with its points evenly spread", () => {
  let series = emptySeries();
  for (let n = 1; n <= 20_000; n += 50) series = append(series, Array.from({ length: 50 }, (_, i) => step(n + i, 1)));
  assert.ok(series.x.length <= 3000, String(series.x.length));
  assert.equal(series.x.at(-1), 20_000);
  const gaps = series.x.slice(1).map((x, i) => x - series.x[i]);
  assert.ok(Math.max(...gaps) <= 30, String(Math.max(...gaps)));
});

test("every series of a long run keeps its spike", () => {
  let series = emptySeries();
  for (let n = 1; n <= 20_000; n += 50) {
    const spike = (/** @type {number} */ i) => (n + i === 7777 ? 1e6 : 1);
    series = append(series, Array.from({ length: 50 }, (_, i) => ({ ...step(n + i, spike(i)), grad_norm: spike(i), step_ms: spike(i) })));
  }
  for (const key of /** @type {const} */ (["loss", "grad_norm", "step_ms"])) {
    assert.equal(Math.max(...series.bands[key].max.map((value) => value ?? 0)), 1e6, key);
  }
});

test("smoothing starts at the first value, follows, and leaves gaps", () => {
  assert.deepEqual(smooth([3, 3, 3], 0.9).map((value) => Number(value?.toFixed(9))), [3, 3, 3]);
  assert.deepEqual(smooth([5, 1, 3], 0), [5, 1, 3]);
  const [first, gap, none, second] = smooth([4, null, undefined, 2], 0.5);
  assert.equal(first, 4);
  assert.equal(gap, null);
  assert.equal(none, undefined);
  assert.ok(Number(second) > 2 && Number(second) < 3);
});

test("the last number skips what is none", () => {
  assert.equal(lastNumber([1, 2, null, undefined]), 2);
  assert.equal(lastNumber([1, 2, 3], 2), 2);
  assert.equal(lastNumber([]), null);
});
