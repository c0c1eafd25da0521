import assert from "node:assert/strict";
import test from "node:test";
import { changeMark, clipping, effect, limits, shareLevel, small, strongest } from "../../../../frontend/js/stores/microscope/reading.js";

const step = /** @type {any} */ ({ grad_norm: 2, grad_norm_clipped: 1, max_grad_norm: 1, loss: 3, loss_after: 2.5 });

test("clipping is said as it was done", () => {
  assert.match(clipping(step), /length 2\. The limit is 1, so it is scaled down to 1/);
  assert.match(clipping({ ...step, grad_norm: 0.5, grad_norm_clipped: 0.5 }), /stays as it is/);
  assert.match(clipping({ ...step, grad_norm: null, grad_norm_clipped: null }), /not a finite number/);
});

test("the effect has its direction and its size", () => {
  assert.match(effect(step), /falls from 3\.0000 to 2\.5000 nats, by 0\.5\./);
  assert.match(effect({ ...step, loss_after: 3.25 }), /rises .* by 0\.25/);
  assert.match(effect({ ...step, loss_after: 3.00001 }), /stays at 3\.0000/);
  assert.match(effect({ ...step, loss_after: null }), /not a finite/);
});

test("what is left out is told", () => {
  assert.deepEqual(limits({ ...step, cut: 0, windows: 1, side: "train" }), []);
  assert.equal(limits({ ...step, cut: 3, most_tokens: 512, windows: 1, side: "validation", row: 4 }).length, 2);
  assert.match(limits({ ...step, cut: 0, most_tokens: 64, windows: 3, side: null })[0], /3 windows/);
});

test("levels and marks go by size and direction", () => {
  assert.deepEqual([0, 0.04, 0.06, 0.25, 0.5, 1].map((value) => shareLevel(value, 1)), [0, 0, 1, 2, 3, 4]);
  assert.equal(shareLevel(null, 1), 0);
  assert.equal(shareLevel(0, 0), 0);
  const mark = (/** @type {number | null} */ before, /** @type {number | null} */ after) => changeMark(/** @type {any} */ ({ probability: before, probability_after: after }));
  assert.deepEqual([mark(0.1, 0.3), mark(0.3, 0.28), mark(0.3, 0.3), mark(null, null)], ["first-3", "second-2", undefined, undefined]);
});

test("small numbers keep the digits that tell them apart", () => {
  assert.deepEqual([0, 0.00001234, 0.01234, 12.34, 12345, null].map(small), ["0", "1.2e-5", "0.0123", "12.3", "1.2e+4", "not finite"]);
});

test("the largest weights come first", () => {
  assert.deepEqual(strongest([0.1, 0.6, 0.3], 2), [[1, 0.6], [2, 0.3]]);
});
