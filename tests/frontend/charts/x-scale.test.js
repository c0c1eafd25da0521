import assert from "node:assert/strict";
import test from "node:test";
import { appendEvents, emptySeries } from "../../../frontend/js/charts/series.js";
import { axisColumn, horizon, indexAt, logTicks, translate } from "../../../frontend/js/charts/x-scale.js";

const step = (/** @type {number} */ n, /** @type {number} */ seconds) => ({
  type: "step", run: "r", cursor: n, time: new Date(seconds * 1000).toISOString(), step: n, loss: 1, lr: 1, tokens: 100 * n, epoch: n / 10,
});
const evaluation = (/** @type {number} */ n) => ({ type: "evaluation", run: "r", cursor: 1000 + n, time: "", step: n, loss: 1 });
const series = (/** @type {any[]} */ ...events) => appendEvents(emptySeries(), events);

test("rows are placed by what the updates told, and checks between them", () => {
  const run = appendEvents(series(step(10, 1000), step(20, 1020)), /** @type {any[]} */ ([evaluation(0), evaluation(15), evaluation(25)]));
  assert.deepEqual(axisColumn(run, "step"), [0, 10, 15, 20, 25]);
  assert.deepEqual(axisColumn(run, "tokens"), [0, 1000, 1500, 2000, 2000]);
  assert.deepEqual(axisColumn(run, "epoch"), [0, 1, 1.5, 2, 2]);
  assert.deepEqual(axisColumn(run, "time", 1000), [0, 0, 10, 20, 20]);
});

test("a clock that was set back does not fold the curve", () => {
  assert.deepEqual(axisColumn(series(step(1, 100), step(2, 90), step(3, 120)), "time", 100), [0, 0, 20]);
});

test("before the first update time stands still", () => {
  assert.deepEqual(axisColumn(series(evaluation(0)), "time"), [0]);
  assert.deepEqual(axisColumn(emptySeries(), "tokens"), []);
});

test("a range goes from x to steps and back", () => {
  const [steps, tokens] = [[0, 10, 20], [0, 1000, 4000]];
  for (const value of [0, 5, 10, 17, 20, 30]) assert.equal(translate(tokens, steps, translate(steps, tokens, value)), value);
  assert.equal(translate(steps, tokens, 30), 6000, "beyond the end at the mean pace");
  assert.equal(translate([0, 0, 5], [1, 2, 3], 0), 1);
  assert.equal(translate([], [], 7), 7);
});

test("the row at or before a place", () => {
  assert.equal(indexAt([0, 10, 20], 15), 1);
  assert.equal(indexAt([0, 10, 20], 20), 2);
  assert.equal(indexAt([5, 10], 1), 0);
});

test("the step axis grows in strides and ends with the run", () => {
  assert.equal(horizon(0, 500, true), 50);
  for (const [last, end] of [[49, 50], [50, 50], [51, 100], [99, 100], [100, 100], [101, 200], [200, 200]]) {
    assert.equal(horizon(last, 500, true), end, `at step ${last}`);
    assert.equal(horizon(last, null, true), end, `at step ${last}`);
  }
  assert.equal(horizon(450, 500, true), 500);
  assert.equal(horizon(10, 20, true), 20);
  assert.equal(horizon(60, null, true), 100);
  assert.equal(horizon(123, 500, false), 123);
});

test("a logarithmic axis has ticks however short it is", () => {
  assert.deepEqual(logTicks(0.01, 1000), [0.01, 0.1, 1, 10, 100, 1000]);
  assert.deepEqual(logTicks(0.9, 12), [1, 2, 5, 10]);
  assert.deepEqual(logTicks(2.1, 6.5), [3, 4, 5, 6]);
  const short = logTicks(2.31, 2.38);
  assert.ok(short.length >= 3 && short.every((tick) => tick >= 2.31 && tick <= 2.38), String(short));
});
