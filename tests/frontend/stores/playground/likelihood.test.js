import assert from "node:assert/strict";
import test from "node:test";
import { alternativesOf, levelOf, meanOf, percentOf, rankOf } from "../../../../frontend/js/stores/playground/likelihood.js";

const token = (/** @type {any} */ about) => /** @type {any} */ ({ id: 1, text: "a", token: "a", logprob: Math.log(0.25), ...about });
const TOP = [
  { token: "b", logprob: Math.log(0.5) },
  { token: "a", logprob: Math.log(0.25) },
];

test("probabilities are percentages of two digits, and one that is there is never 0%", () => {
  assert.deepEqual([0.25, 0.031, 0.999, 1, 1e-9].map((p) => percentOf(Math.log(p))), ["25%", "3.1%", "99.9%", "100%", "under 0.01%"]);
  assert.equal(percentOf(null), "–");
});

test("levels go from likely to unlikely", () => {
  assert.deepEqual([0.9, 0.5, 0.3, 0.1, 0.001, 0].map((p) => levelOf(Math.log(p))), [0, 0, 1, 2, 3, 3]);
  assert.equal(levelOf(undefined), null);
});

test("what could have stood there is without what does", () => {
  assert.deepEqual(alternativesOf(token({ top_logprobs: TOP })), [TOP[0]]);
  assert.equal(rankOf(token({ top_logprobs: TOP })), 2);
  assert.equal(rankOf(token({ token: "z", top_logprobs: TOP })), 0);
});

test("the mean is that of the logarithms", () => {
  assert.ok(Math.abs(/** @type {number} */ (meanOf([token({ logprob: Math.log(0.5) }), token({ logprob: Math.log(0.125) })])) - Math.log(0.25)) < 1e-12);
  assert.equal(meanOf([]), null);
});
