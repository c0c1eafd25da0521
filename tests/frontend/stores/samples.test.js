import assert from "node:assert/strict";
import test from "node:test";
import { placeOf, promptsOf, sampleAt, sampledSteps } from "../../../frontend/js/stores/samples.js";

const sample = (/** @type {number} */ step, /** @type {string} */ prompt) => /** @type {any} */ ({ step, prompt, text: `${prompt}${step}` });
const SAMPLES = [sample(0, "b"), sample(0, "a"), sample(20, "a"), sample(10, "a"), sample(10, "b")];

test("steps rise and prompts keep their order", () => {
  assert.deepEqual(sampledSteps(SAMPLES), [0, 10, 20]);
  assert.deepEqual(promptsOf(SAMPLES), ["b", "a"]);
});

test("a place is the check at or before the cursor", () => {
  assert.deepEqual([null, 0, 9, 10, 999].map((step) => placeOf([0, 10, 20], step)), [2, 0, 0, 1, 2]);
  assert.equal(placeOf([10, 20], 3), 0);
});

test("a prompt that has not been answered yet shows its answer before", () => {
  assert.equal(sampleAt(SAMPLES, "b", 20)?.text, "b10");
  assert.equal(sampleAt(SAMPLES, "a", 20)?.text, "a20");
  assert.equal(sampleAt([sample(10, "a")], "a", 5), null);
});
