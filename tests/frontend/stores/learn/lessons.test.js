import assert from "node:assert/strict";
import test from "node:test";
import { TEXTS } from "../../../../frontend/js/stores/learn/lesson-texts.js";
import { configOf, LESSONS, resultOf, textsOf } from "../../../../frontend/js/stores/learn/lessons.js";

/** @typedef {import("../../../../frontend/js/stores/learn/lessons.js").Result} Result */

/** @param {number[]} losses @returns {[number, number][]} */
const points = (...losses) => losses.map((value, i) => [10 * i, value]);
/** @param {Partial<Result>} some @returns {Result} */
const result = (some) => ({ training: points(7, 1), validation: points(7, 2), further: [], ...some });
const lesson = (/** @type {string} */ name) => /** @type {typeof LESSONS[number]} */ (LESSONS.find((each) => each.name === name));

test("each lesson asks for one of its choices, one of which is what usually happens", () => {
  for (const { choices, expected, name, curves, runs } of LESSONS) {
    assert.ok(choices.length >= 2 && choices.length <= 4, name);
    assert.ok(choices.some(([id]) => id === expected), name);
    assert.ok(curves.every(({ run }) => run < runs.length), name);
  }
});

test("no sentence that is tested on is learned from", () => {
  const unseen = TEXTS["errands-unseen"]().trim().split("\n");
  assert.equal(new Set(unseen).size, 80);
  for (const name of ["errands", "errands-20", "errands-30"]) {
    const learned = new Set(TEXTS[name]().split("\n"));
    assert.deepEqual(unseen.filter((line) => learned.has(line)), [], name);
  }
  assert.equal(TEXTS.errands(), TEXTS.errands(), "and they are the same each time");
});

test("settings name the uploaded texts and the run before", () => {
  const { runs } = lesson("base_and_tuned");
  const filled = configOf(runs[1].config, { weather: "w1", "errands-unseen": "u1", errands: "e1" }, ["20260101-000000-ab12"], 3);
  assert.equal(filled.dataset, "w1");
  assert.equal(filled.model_name, "run:20260101-000000-ab12");
  assert.deepEqual(filled.evaluation_datasets, ["u1"]);
  assert.equal(filled.validation_dataset, null);
  assert.equal(filled.seed, 3);
  assert.ok(!("seed" in configOf(runs[1].config, {}, ["a"])));
  assert.deepEqual(textsOf(lesson("base_and_tuned")), ["errands", "errands-unseen", "weather"]);
});

test("answers follow the numbers, whichever way they go", () => {
  const { answer: rate } = lesson("learning_rate_too_high");
  assert.equal(rate([result({}), result({ validation: points(7, 4) })]), "first");
  assert.equal(rate([result({}), result({ validation: points(7, 1) })]), "second");
  assert.equal(rate([result({}), result({ validation: points(7, 2.01) })]), "same");

  const { answer: heart } = lesson("overfitting");
  assert.equal(heart([result({ validation: points(7, 3, 4) })]), "turns");
  assert.equal(heart([result({ validation: points(7, 4, 3) })]), "falls");
  assert.equal(heart([result({ validation: points(7, 8, 9) })]), "never");

  const { answer: parts } = lesson("accumulation");
  assert.equal(parts([result({}), result({ training: points(7.001, 1.001) })]), "same");
  assert.equal(parts([result({}), result({ training: points(7, 2) })]), "worse");

  const { answer: forgets } = lesson("base_and_tuned");
  assert.equal(forgets([result({}), result({ further: points(2, 3) })]), "worse");
  assert.equal(forgets([result({}), result({ further: points(3, 2) })]), "better");
});

test("what is told has the numbers in it", () => {
  for (const { tells, name } of LESSONS) {
    const text = tells([result({}), result({ validation: points(7, 4.25), further: points(2, 3) })]);
    assert.match(text, /\d/, name);
    assert.doesNotMatch(text, /NaN|undefined/, name);
  }
});

test("a result leaves out what was no number", () => {
  const series = { x: [1, 2, 3], series: { loss: { mean: [3, null, 1] } } };
  const evaluations = [{ step: 0, loss: null, losses: { other: 5 } }, { step: 3, loss: 2, losses: {} }];
  assert.deepEqual(resultOf(series, evaluations), { training: [[1, 3], [3, 1]], validation: [[3, 2]], further: [[0, 5]] });
});
