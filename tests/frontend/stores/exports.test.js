import assert from "node:assert/strict";
import { test } from "node:test";
import { sourcesOf, titleOf, verdictOf } from "../../../frontend/js/stores/exports.js";

const checkpoint = (name, step, kind, model = `run:x@${name}`) => ({ name, step, kind, model });
const proof = {
  passed: true, engine: "llama.cpp", kl: 2.1964e-7, limit: 0.00151, same_choice: 0.9961, tokens: 256,
  texts: "the validation split", problems: [], notes: [],
};

test("the finished model comes first, then checkpoints from the latest; an adapter alone is no model", () => {
  const found = sourcesOf([
    checkpoint("step-000010", 10, "periodic"),
    checkpoint("adapter", 30, "adapter", null),
    checkpoint("step-000020", 20, "best"),
    checkpoint("model", 30, "final", "run:x"),
  ]);
  assert.deepEqual(found, [
    { checkpoint: null, title: "Finished model" },
    { checkpoint: "step-000020", title: "Checkpoint of step 20, the best" },
    { checkpoint: "step-000010", title: "Checkpoint of step 10" },
  ]);
});

test("an export is called by its format, its numbers where there is a choice, and its source", () => {
  assert.equal(titleOf({ format: "gguf", number_format: "q8_0", checkpoint: null }), "GGUF, 8 bits (Q8_0) · finished model");
  assert.equal(titleOf({ format: "gguf", number_format: "q4_k_m", checkpoint: null }), "GGUF, 4 bits (Q4_K_M) · finished model");
  assert.equal(titleOf({ format: "adapter", number_format: "kept", checkpoint: "step-1" }), "Adapter · step-1");
});

test("a verdict has its figures in plain digits", () => {
  const found = verdictOf({ proof });
  assert.equal(found.tone, "good");
  assert.match(found.text, /differs by 2\.2 × 10⁻⁷ nats per token \(KL divergence\), where rounding can make 0\.0015 nats per token/);
  assert.match(found.text, /same at 99\.6% of places/);
});

test("what failed, and what could not be asked, say why", () => {
  const problems = ["The number of layers is 1 in the file, and 2 in the model."];
  assert.deepEqual(verdictOf({ proof: { ...proof, passed: false, kl: null, problems } }), {
    tone: "error", title: "It does not answer as your model does.", text: "", problems,
  });
  assert.equal(verdictOf({ proof: { ...proof, passed: null, problems } }).tone, "warning");
  assert.equal(verdictOf({ proof: null }), null);
});
