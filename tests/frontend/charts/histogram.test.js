import assert from "node:assert/strict";
import test from "node:test";
import { barLabel, barsOf } from "../../../frontend/js/charts/histogram.js";

const BINS = [{ start: 0, end: 10, count: 5 }, { start: 10, end: 20, count: 10 }, { start: 20, end: 40, count: 0 }];

test("bars are as wide as their bins and as high as their counts", () => {
  const { bars, from, to } = barsOf(BINS, 9);
  assert.deepEqual([from, to], [0, 40]);
  assert.deepEqual(bars.map((bar) => bar.width), [0.25, 0.25, 0.5]);
  assert.deepEqual(bars.map((bar) => bar.height), [0.5, 1, 0]);
  assert.deepEqual(bars.map((bar) => bar.beyond), [false, true, true]);
});

test("the limit is marked where it lies, and not at all beyond the max length", () => {
  assert.equal(barsOf(BINS, 19).mark, 0.5);
  assert.equal(barsOf(BINS, 512).mark, null);
  assert.equal(barsOf([], 512).bars.length, 0);
});

test("a bar is told in words", () => {
  assert.equal(barLabel({ start: 10, end: 20, count: 1 }), "10 to 19 tokens: 1 example");
  assert.equal(barLabel({ start: 7, end: 8, count: 1200 }), "7 tokens: 1,200 examples");
});
