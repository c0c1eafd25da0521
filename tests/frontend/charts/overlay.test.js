import assert from "node:assert/strict";
import test from "node:test";
import { dashOf, extentOf, viewOf } from "../../../frontend/js/charts/overlay-draw.js";
import { append, bandOf, keysFor, lineOf, METRICS, MOST_POINTS, valueAt } from "../../../frontend/js/charts/overlay-lines.js";

const [LOSS, VALIDATION] = METRICS;
const event = (/** @type {any} */ fields) => ({ run: "r", time: "2026-01-01T00:00:00Z", ...fields });
const step = (/** @type {number} */ n, /** @type {number | null} */ loss = n, cursor = n) =>
  event({ type: "step", cursor, step: n, loss, tokens: n * 10, time: new Date(n * 1000).toISOString() });

/** @param {Record<string, any>} series @param {number[]} x @returns {any} */
const snapshot = (series, x) => ({ run: "r", x, from: x[0], to: x.at(-1), points: x.length, stream_cursor: 0, series });

test("a bucket without a value is passed over, one with a value that was no number is a gap", () => {
  const series = { validation_loss: { mean: [3, null, null, 2, 1], nonfinite: [2, 4] }, tokens: { mean: [null, 10, 20, null, 40] } };
  const line = lineOf(snapshot(series, [0, 1, 2, 3, 4]), VALIDATION, "tokens");
  assert.deepEqual([line.x, line.y], [[0, 20, 20, 40], [3, null, 2, null]]);
  assert.deepEqual(keysFor(LOSS, "step"), ["loss"]);
  assert.deepEqual(keysFor(LOSS, "time"), ["loss", "time"]);
});

test("time begins with the run, whatever the clock says", () => {
  const line = lineOf(snapshot({ loss: { mean: [3, 2], nonfinite: [] }, time: { mean: [1000, 1004.5] } }, [1, 2]), LOSS, "time");
  assert.deepEqual(line.x, [0, 4.5]);
  append(line, event({ type: "step", cursor: 9, step: 3, loss: 1, tokens: 1, time: new Date(1_010_000).toISOString() }), LOSS, "time");
  assert.deepEqual(line.x, [0, 4.5, 10]);
});

test("events are added once, of their metric alone, and taken back when a run goes on from earlier", () => {
  const line = lineOf(snapshot({ loss: { mean: [], nonfinite: [] } }, []), LOSS, "step");
  for (const n of [1, 2, 3]) assert.equal(append(line, step(n), LOSS, "step"), true);
  assert.equal(append(line, step(3, 99), LOSS, "step"), false);
  assert.equal(append(line, event({ type: "evaluation", cursor: 4, step: 3, loss: 9 }), LOSS, "step"), false);
  append(line, event({ type: "status", cursor: 5, phase: "training", resumed_step: 1 }), LOSS, "step");
  append(line, step(2, 7, 6), LOSS, "step");
  assert.deepEqual([line.x, line.y], [[1, 2], [1, 7]]);
  append(line, event({ type: "status", cursor: 7, phase: "training", resumed_step: 0 }), LOSS, "step");
  assert.deepEqual(line.x, []);
});

test("a line that grows without end stays small, keeps its mean and forgets no gap", () => {
  const line = lineOf(snapshot({ loss: { mean: [], nonfinite: [] }, tokens: { mean: [] } }, []), LOSS, "tokens");
  for (let n = 1; n <= 20_000; n += 1) append(line, step(n, n === 5000 ? null : n), LOSS, "tokens");
  assert.ok(line.x.length > MOST_POINTS / 4 && line.x.length <= MOST_POINTS, String(line.x.length));
  assert.equal(line.y.filter((value) => value === null).length, 1);
  const last = Number(line.y.at(-1));
  assert.ok(last > 20_000 - line.width && last <= 20_000, String(last));
  assert.ok(line.steps.every((each, i) => i === 0 || each > line.steps[i - 1]));
});

test("a value is read between two points and nowhere else", () => {
  const line = { x: [1, 3, 5, 9], y: [10, 20, null, 40] };
  assert.deepEqual([1, 2, 3, 4, 5, 9, 0.5, 10].map((x) => valueAt(line, x)), [10, 15, 20, null, null, 40, null, null]);
  assert.equal(valueAt({ x: [], y: [] }, 1), null);
});

test("a band has the mean, lowest and highest of all seeds, as far as all go", () => {
  const band = bandOf([{ x: [0, 2, 4], y: [1, 3, 5] }, { x: [0, 1, 2, 3], y: [3, 3, 1, null] }]);
  assert.deepEqual(band, { x: [0, 1, 2, 3], y: [2, 2.5, 2, null], low: [1, 2, 1, null], high: [3, 3, 3, null] });
  assert.deepEqual(bandOf([{ x: [], y: [] }]).x, []);
  const late = bandOf([{ x: [0, 1, 2, 3, 4], y: [9, 8, 7, 6, 5] }, { x: [2, 3, 6], y: [1, 2, 3] }, { x: [1, 5], y: [4, 4] }]);
  assert.deepEqual(late.x, [2, 3, 4], "from where all have begun to where the first ends");
  assert.deepEqual([late.low, late.high], [[1, 2, 2 + 1 / 3], [7, 6, 5]]);
});

test("fifty runs have fifty looks", () => {
  const looks = Array.from({ length: 50 }, (_, look) => `${look % 10} ${dashOf(look)}`);
  assert.equal(new Set(looks).size, 50);
});

test("a view is kept while what grows fits into it", () => {
  const item = (/** @type {number} */ end, low = 1) => [{ key: "a", look: 0, x: [0, end], y: [4, low] }];
  const first = viewOf(null, extentOf(item(100), false), false, true);
  assert.ok(first.x[1] > 100 && first.y[0] < 1 && first.y[1] > 4);
  assert.equal(viewOf(first, extentOf(item(120), false), false, true), first);
  assert.notEqual(viewOf(first, extentOf(item(130), false), false, true), first);
  assert.notEqual(viewOf(first, extentOf(item(120, 0.1), false), false, true), first);
  assert.deepEqual(viewOf(first, extentOf(item(120), false), false, false).x, [0, 120]);
  const log = viewOf(null, extentOf(item(100, 0), true), true, false);
  assert.ok(log.y[0] > 0, "zero has no place on a log axis");
  assert.deepEqual(viewOf(null, extentOf([], false), false, false).x, [0, 1]);
});
