import assert from "node:assert/strict";
import test from "node:test";
import { letterOf, shuffled, votesOf } from "../../../../frontend/js/stores/playground/votes.js";

const ANSWERS = ["a", "b", "c"].map((model) => ({ model, text: `of ${model}` }));
const ABOUT = { prompt: "p", blind: true };
const pairs = (/** @type {any[]} */ votes) => votes.map(({ chosen, rejected, verdict }) => `${chosen.model}>${rejected.model} ${verdict}`);

test("the best of several is better than each of the others", () => {
  const votes = votesOf(ANSWERS, { kind: "better", model: "b" }, ABOUT);
  assert.deepEqual(pairs(votes), ["b>a better", "b>c better"]);
  assert.deepEqual(votes[0], { prompt: "p", blind: true, chosen: ANSWERS[1], rejected: ANSWERS[0], verdict: "better" });
});

test("if all are alike each pair is", () => {
  assert.deepEqual(pairs(votesOf(ANSWERS, { kind: "equal" }, ABOUT)), ["a>b equal", "a>c equal", "b>c equal"]);
  assert.equal(votesOf(ANSWERS.slice(0, 2), { kind: "both_bad" }, ABOUT).length, 1);
});

test("an answer is not better than one that says the same", () => {
  const same = [...ANSWERS.slice(0, 2), { model: "c", text: "of a" }];
  assert.deepEqual(pairs(votesOf(same, { kind: "better", model: "a" }, ABOUT)), ["a>b better"]);
});

test("an order is drawn in which each comes first as often", () => {
  const firsts = { a: 0, b: 0, c: 0 };
  let state = 1;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < 3000; i += 1) {
    const order = shuffled(["a", "b", "c"], random);
    assert.deepEqual([...order].sort(), ["a", "b", "c"]);
    firsts[/** @type {"a" | "b" | "c"} */ (order[0])] += 1;
  }
  for (const count of Object.values(firsts)) assert.ok(Math.abs(count - 1000) < 120, `${count} of 3000`);
});

test("hidden names are letters", () => assert.deepEqual([0, 3].map(letterOf), ["Answer A", "Answer D"]));
