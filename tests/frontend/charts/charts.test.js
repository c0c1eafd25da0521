import assert from "node:assert/strict";
import test from "node:test";
import { csvOf } from "../../../frontend/js/pages/run/charts/csv.js";
import { FIGURES, columnsOf, describe, shownFigures } from "../../../frontend/js/pages/run/charts/figures.js";
import { appendEvents, emptySeries } from "../../../frontend/js/charts/series.js";

const step = (/** @type {number} */ n, /** @type {number | null} */ loss) => ({
  type: "step", run: "r", cursor: n, time: "2025-01-01T00:00:00Z", step: n, loss, lr: 1e-3, grad_norm: 1, tokens_per_s: 5, step_ms: 2, tokens: n, epoch: n,
});
const system = (/** @type {any} */ values) => ({ type: "system", run: "r", cursor: 99, time: "2025-01-01T00:00:00Z", step: 1, ...values });
const run = (/** @type {any[]} */ ...events) => appendEvents(emptySeries(), events);

test("a chart without data is not shown", () => {
  assert.deepEqual(shownFigures(emptySeries()), []);
  assert.deepEqual(shownFigures(run(step(1, 5))), ["loss", "lr", "grad_norm", "tokens_per_s", "step_ms"]);
  assert.deepEqual(shownFigures(run(step(1, null)))[0], "loss", "a NaN is something to show");
});

test("of the processors the GPU is shown where there is one", () => {
  assert.deepEqual(shownFigures(run(system({ cpu_percent: 50, memory_bytes: 9 }))), ["memory", "cpu"]);
  assert.deepEqual(shownFigures(run(system({ cpu_percent: 50, gpu_percent: 9 }))), ["gpu"]);
});

test("each line has the columns that it is described by", () => {
  for (const figure of FIGURES) {
    const { series, bands = [] } = describe(figure)(() => "");
    assert.equal(series.length - 1, columnsOf(figure, run(step(1, 5)), 0.5).length, figure.id);
    for (const { series: [high, low] } of bands) assert.deepEqual([series[high].label, series[low].label], ["", ""]);
  }
});

test("the learning rate is as it was, the loss is smoothed", () => {
  const series = run(step(1, 5), step(2, 1), { ...step(3, 3), lr: 9 });
  const at = (/** @type {string} */ id) => columnsOf(/** @type {any} */ (FIGURES.find((figure) => figure.id === id)), series, 0.5)[2];
  assert.deepEqual(at("lr"), [1e-3, 1e-3, 9]);
  assert.notEqual(at("loss")[2], 3);
});

test("every figure says what it is", () => {
  for (const { title, help, lines } of FIGURES) assert.ok(title && help.endsWith(".") && lines.length);
});

test("the table holds what is in sight, and says NaN", () => {
  const series = run(step(1, 5), step(2, null), step(3, 4), system({ cpu_percent: 1 }));
  const table = csvOf(FIGURES[0], series, series.x, { start: 2, end: 3 });
  const head = "step,loss,loss_min,loss_max,validation_loss,validation_loss_min,validation_loss_max";
  assert.equal(table, `${head}\n2,NaN,NaN,NaN,,,\n3,4,4,4,,,\n`);
});
