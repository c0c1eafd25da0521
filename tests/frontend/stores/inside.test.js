import assert from "node:assert/strict";
import { test } from "node:test";
import { movedBy } from "../../../frontend/js/charts/heat-map.js";
import {
  canBeLeftOut,
  cellText,
  columnsShown,
  heatMapOf,
  rowsOfCause,
  shadeOf,
  sharesShown,
  ticksOf,
  withoutRows,
} from "../../../frontend/js/stores/inside.js";

/** @param {(number | null)[]} mean */
const band = (mean) => ({ mean, min: mean, max: mean.map((value) => value && value * 2), nonfinite: [] });

const LAYERS = {
  parts: ["embeddings", "block 0", "head"],
  x: [1, 9, 17],
  grad_norm: [band([0.01, 0.1, null]), band([1, 1, 1]), band([0, 0.5, 0.5])],
  update_ratio: [band([null, null, null]), band([null, null, null]), band([null, null, null])],
  from: 1,
  to: 24,
  noise_scale: null,
  stream_cursor: 1,
};

test("the head is at the top and colours are even in the logarithm", () => {
  const map = heatMapOf(LAYERS, "grad_norm");
  assert.deepEqual(map?.parts, ["head", "block 0", "embeddings"]);
  assert.deepEqual([map?.low, map?.high], [0.01, 1]);
  assert.ok(map);
  assert.equal(shadeOf(map, 0.01), 0);
  assert.equal(shadeOf(map, 1), 1);
  assert.ok(Math.abs(Number(shadeOf(map, 0.1)) - 0.5) < 1e-9);
  assert.equal(shadeOf(map, 0), 0);
  assert.equal(shadeOf(map, null), null);
  assert.equal(heatMapOf(LAYERS, "update_ratio"), null);
  assert.deepEqual(ticksOf(map, 3).map((value) => Number(value.toPrecision(6))), [0.01, 0.1, 1]);
});

test("a single value has a colour too", () => {
  const map = heatMapOf({ ...LAYERS, grad_norm: [band([2, 2, 2]), band([2, 2, 2]), band([2, 2, 2])] }, "grad_norm");
  assert.ok(map);
  assert.equal(shadeOf(map, 2), 0);
});

test("a cell says its part, its steps and its numbers", () => {
  const map = heatMapOf(LAYERS, "grad_norm");
  assert.ok(map);
  assert.equal(cellText(map, 1, 0), "block 0, steps 1 to 8: 1, at most 2");
  assert.equal(cellText(map, 1, 2), "block 0, step 17: 1, at most 2");
  assert.equal(cellText(map, 2, 2), "embeddings, step 17: not measured");
});

test("the arrow keys stay within the picture", () => {
  assert.deepEqual(movedBy("ArrowUp", { row: 0, column: 2 }, 3, 5), { row: 0, column: 2 });
  assert.deepEqual(movedBy("ArrowDown", { row: 0, column: 2 }, 3, 5), { row: 1, column: 2 });
  assert.deepEqual(movedBy("ArrowRight", { row: 0, column: 4 }, 3, 5), { row: 0, column: 4 });
  assert.deepEqual(movedBy("Home", { row: 1, column: 4 }, 3, 5), { row: 1, column: 0 });
  assert.deepEqual(movedBy("End", { row: 1, column: 0 }, 3, 5), { row: 1, column: 4 });
  assert.equal(movedBy("a", { row: 1, column: 0 }, 3, 5), null);
});

test("a table shows some columns, the first and the last among them", () => {
  assert.deepEqual(columnsShown(3, 8), [0, 1, 2]);
  assert.deepEqual(columnsShown(100, 5), [0, 25, 50, 74, 99]);
});

test("kinds that took no time are left out", () => {
  const shares = [
    { kind: /** @type {const} */ ("data"), label: "Data", seconds: 0, share: 0 },
    { kind: /** @type {const} */ ("forward"), label: "Forward", seconds: 9, share: 1 },
  ];
  assert.deepEqual(sharesShown({ seconds: 9, shares, verdict: null, step: 1, stream_cursor: 1 }), [shares[1]]);
});

test("rows of a cause come latest first, and those of other datasets cannot be left out", () => {
  const items = [
    { step: 3, cause: /** @type {const} */ ("spike"), rows: [] },
    { step: 5, cause: /** @type {const} */ ("training"), rows: [] },
    { step: 8, cause: /** @type {const} */ ("spike"), rows: [] },
  ];
  assert.deepEqual(rowsOfCause(items, "spike").map(({ step }) => step), [8, 3]);
  assert.equal(canBeLeftOut({ row: 1, loss: 2, tokens: 3, text: "", dataset: null }), true);
  assert.equal(canBeLeftOut({ row: 1, loss: 2, tokens: 3, text: "", dataset: "other" }), false);
  assert.deepEqual(withoutRows([9, 2], new Set([30, 2])), [2, 9, 30]);
});
