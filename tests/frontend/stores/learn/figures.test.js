import assert from "node:assert/strict";
import test from "node:test";
import { FIGURES_TO_TRY, initialOf } from "../../../../frontend/js/stores/learn/figures.js";
import { errorsAt, fitted } from "../../../../frontend/js/stores/learn/figures/fit.js";
import { attentionOf, softmax } from "../../../../frontend/js/stores/learn/figures/guesses.js";
import { batchGradients, merged, partMeans, randomOf } from "../../../../frontend/js/stores/learn/figures/noise.js";
import { clipped, descend, race } from "../../../../frontend/js/stores/learn/figures/rates.js";
import { memoryParts, toBf16, toFp16 } from "../../../../frontend/js/stores/learn/figures/sizes.js";

/** @param {number} value @param {number} other @param {number} [most] */
const near = (value, other, most = 1e-9) => assert.ok(Math.abs(value - other) <= most, `${value} is not ${other}`);

test("every figure draws and says something wherever its controls stand", () => {
  for (const [name, toy] of Object.entries(FIGURES_TO_TRY)) {
    for (const control of toy.controls) {
      const ends = "options" in control ? control.options.map((_, i) => i) : [control.min, control.value, control.max];
      for (const value of ends) {
        const view = toy.view({ ...initialOf(toy), [control.id]: value });
        assert.ok(view.says.length > 20, name);
        assert.doesNotMatch(JSON.stringify(view), /NaN|undefined|null/, `${name} with ${control.id} ${value}`);
      }
    }
  }
});

test("descent gets down, and climbs where the rate is 1 or more", () => {
  near(/** @type {number} */ (descend(0.5, 1)[1]), 0);
  assert.ok(Math.abs(/** @type {number} */ (descend(0.1, 50).at(-1))) < 1e-4);
  assert.ok(Math.abs(/** @type {number} */ (descend(1.05, 12).at(-1))) > 2);
});

test("clipping keeps the direction and never lengthens", () => {
  assert.deepEqual(clipped([3, 4], 1).map((value) => Number(value.toFixed(9))), [0.6, 0.8]);
  assert.deepEqual(clipped([0.3, 0.4], 1), [0.3, 0.4]);
  assert.deepEqual(clipped([0, 0], 1), [0, 0]);
});

test("in a stretched valley AdamW is nearer than plain steps, in a round one it is not", () => {
  const left = (/** @type {number} */ stretch) => {
    const { plain, adam } = race(stretch, 30);
    return [Math.hypot(...plain[30]), Math.hypot(...adam[30])];
  };
  assert.ok(left(60)[1] < left(60)[0]);
  assert.ok(left(1)[1] > left(1)[0]);
});

test("softmax adds up to 1, and temperature moves it between even and certain", () => {
  const scores = [2, 1, -1];
  near(softmax(scores).reduce((a, b) => a + b), 1);
  near(softmax(scores)[0] / softmax(scores)[1], Math.E);
  assert.ok(softmax(scores, 0.1)[0] > 0.99);
  assert.ok(softmax(scores, 100)[0] < 0.35);
  assert.ok(softmax([1000, 999])[0] > 0.7, "large scores do not overflow");
});

test("attention sees only what stands before", () => {
  assert.deepEqual(attentionOf(0), [1]);
  near(attentionOf(6).reduce((a, b) => a + b), 1);
  assert.equal(attentionOf(6).length, 7);
});

test("the mean of sixteen is the mean of its parts' means", () => {
  const mean = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b) / values.length;
  for (const parts of [1, 2, 4, 8, 16]) near(mean(partMeans(parts)), mean(partMeans(1)), 1e-12);
});

test("batches agree the more, the larger they are, by the root of their size", () => {
  const spread = (/** @type {number} */ size) => {
    const across = batchGradients(size, 3).map(([, y]) => y);
    return Math.sqrt(across.reduce((sum, y) => sum + y * y, 0) / across.length);
  };
  near(spread(1) / spread(64), 8, 1e-6);
});

test("the same seed gives the same numbers, evenly spread", () => {
  const random = randomOf(7);
  const numbers = Array.from({ length: 10_000 }, random);
  assert.deepEqual(numbers.slice(0, 5), Array.from({ length: 5 }, randomOf(7)));
  near(numbers.reduce((a, b) => a + b) / numbers.length, 0.5, 0.02);
  assert.ok(Math.min(...numbers) >= 0 && Math.max(...numbers) < 1);
});

test("tokens lose no letter, and joining makes fewer of them", () => {
  const text = "the tea and the tent";
  assert.deepEqual(merged(text, 0), [...text]);
  assert.equal(merged(text, 9).join(""), text);
  assert.equal(merged(text, 1).filter((token) => token === " t").length, 3, "what stands together most often is joined first");
  assert.ok(merged(text, 9).length < text.length);
});

test("a curve of nine bends goes through ten points and is far off between them", () => {
  const line = fitted([[-1, 1], [0, 0], [1, 1]], 2);
  near(line(0.5), 0.25);
  assert.ok(errorsAt(9).seen < 1e-12);
  assert.ok(errorsAt(9).unseen > 10 * errorsAt(3).unseen);
  assert.ok(errorsAt(1).unseen > errorsAt(3).unseen);
});

test("numbers of 16 bits are those of IEEE 754", () => {
  assert.equal(toFp16(0.1), 0.0999755859375);
  assert.equal(toFp16(65519), 65504);
  assert.equal(toFp16(70000), Infinity);
  assert.equal(toFp16(2 ** -24), 2 ** -24);
  assert.equal(toFp16(2 ** -26), 0);
  assert.equal(toBf16(0.1), 0.10009765625);
  assert.equal(toBf16(-3.14159265), -3.140625);
  assert.equal(toBf16(1e30) / 1e30 > 0.99, true);
});

test("AdamW takes 16 bytes for each trained weight", () => {
  const sum = (/** @type {ReturnType<typeof memoryParts>} */ { weights, gradients, optimizer }) => weights + gradients + optimizer;
  assert.equal(sum(memoryParts(1e6, 0)), 16e6);
  near(sum(memoryParts(1e6, 1)), 4e6 + 16e4);
  near(sum(memoryParts(1e6, 2)), 0.5e6 + 16e4);
});
