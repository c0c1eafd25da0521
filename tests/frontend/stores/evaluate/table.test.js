import assert from "node:assert/strict";
import test from "node:test";
import { bestOn, csvOf, markdownOf, MEASURES, remarksOf, standingOf } from "../../../../frontend/js/stores/evaluate/table.js";

/** @param {number} bits @param {number} accuracy */
const scores = (bits, accuracy) => ({ loss: bits * 3, perplexity: Math.exp(bits), bits_per_byte: bits, accuracy, tokens: 10, bytes: 30 });

/** @param {any} change */
const evaluation = (change) => ({
  id: "1",
  status: /** @type {const} */ ("completed"),
  created_at: "2026-01-01T00:00:00Z",
  models: [{ id: "a", name: "A|1" }, { id: "b", name: "B" }],
  datasets: [{ id: "x", name: "X" }, { id: "y", name: "Y, too" }],
  limit: null,
  max_length: 64,
  cells: [
    { model: "a", dataset: "x", scores: scores(1, 0.2), examples: 5, seconds: 2, notes: ["Cut."] },
    { model: "b", dataset: "x", scores: scores(2, 0.4), examples: 5, seconds: 2, notes: ["Cut."] },
    { model: "a", dataset: "y", scores: scores(1, 0.2), examples: 5, seconds: 2, notes: [] },
    { model: "b", dataset: "y", notes: [], error: { message: 'No "luck".', hint: "Try again." } },
  ],
  ...change,
});

test("the best is the lowest, of accuracy the highest, and none where there is no choice", () => {
  const found = evaluation({});
  assert.equal(bestOn(found, "bits_per_byte", "x"), "a");
  assert.equal(bestOn(found, "accuracy", "x"), "b");
  assert.equal(bestOn(found, "loss", "y"), null);
  const equal = evaluation({ cells: ["a", "b"].map((model) => ({ model, dataset: "x", scores: scores(1, 1), notes: [] })) });
  assert.equal(bestOn(equal, "loss", "x"), null);
});

test("a table is copied as Markdown, with the best in bold", () => {
  assert.equal(
    markdownOf(evaluation({}), MEASURES[0]),
    "| Bits per byte | X | Y, too |\n| --- | ---: | ---: |\n| A\\|1 | **1.000** | 1.000 |\n| B | 2.000 | – |\n",
  );
});

test("all numbers are copied as CSV, a line for each cell", () => {
  const lines = csvOf(evaluation({})).trimEnd().split("\n");
  assert.equal(lines[0], "model,dataset,loss,perplexity,bits_per_byte,accuracy,tokens,bytes,examples,seconds,error");
  assert.equal(lines[1], `a,x,3,${Math.E},1,0.2,10,30,5,2,`);
  assert.equal(lines[4], 'b,y,,,,,,,,,"No ""luck""."');
});

test("what is to be known is said once, with where it holds", () => {
  assert.deepEqual(remarksOf(evaluation({})), ["A|1 on X, B on X: Cut.", 'B on Y, too: No "luck". Try again.']);
  assert.deepEqual(remarksOf(evaluation({ cells: evaluation({}).cells.slice(0, 2) })), ["Cut."]);
});

test("how it stands", () => {
  assert.equal(standingOf(evaluation({})), "Done, 1 of 4 without a result");
  assert.equal(standingOf(evaluation({ status: "queued" })), "Waits for its turn");
  assert.equal(standingOf(evaluation({ status: "stopped", cells: [] })), "Stopped after 0 of 4");
  const progress = { model: "a", dataset: null, text: "", share: 0.5, eta_s: 70 };
  assert.equal(standingOf(evaluation({ status: "running", progress })), "4 of 4 done, about 1 min 10 s left");
});
