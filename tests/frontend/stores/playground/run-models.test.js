import assert from "node:assert/strict";
import test from "node:test";
import { comparisonFor, modelsByStep } from "../../../../frontend/js/stores/playground/run-models.js";

const saved = (/** @type {number} */ step, kind = "periodic", model = `run:r@step-${step}`) => /** @type {any} */ ({ step, kind, model });
const FINAL = saved(20, "final", "run:r");
const run = (/** @type {any} */ config) => /** @type {any} */ ({ config });

test("a run's result is compared with what it was tuned from", () => {
  const found = comparisonFor(run({ model_name: "gpt2", from_scratch: false }), [saved(10), FINAL]);
  assert.deepEqual(found, { models: ["run:r", "gpt2"], other: "its base" });
});

test("where the base knows nothing, with its first checkpoint", () => {
  for (const config of [{ model_name: "tiny" }, { model_name: "gpt2", from_scratch: true }]) {
    const found = comparisonFor(run(config), [FINAL, saved(20), saved(10)]);
    assert.deepEqual(found, { models: ["run:r", "run:r@step-10"], other: "its first checkpoint" });
    assert.equal(comparisonFor(run(config), [FINAL]), null);
  }
  assert.equal(comparisonFor(run({ model_name: "gpt2" }), []), null);
});

test("of several at one step the final one is asked, and what was deleted is not", () => {
  const found = modelsByStep([FINAL, saved(20), saved(5), { ...saved(7), model: null }]);
  assert.deepEqual(found.map(({ model }) => model), ["run:r@step-5", "run:r"]);
});
