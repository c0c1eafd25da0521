import assert from "node:assert/strict";
import test from "node:test";
import { concerns, evidenceRows, isNews, placeText, withFinding } from "../../../frontend/js/stores/findings.js";

const finding = (/** @type {string} */ rule, /** @type {any} */ level, holds = true) =>
  /** @type {any} */ ({ type: "finding", rule, level, title: rule, holds, cursor: 1, step: 5, from_step: 5 });
const rules = (/** @type {any[]} */ ...events) => events.reduce(withFinding, []).map((/** @type {any} */ one) => one.rule);

test("findings that hold stand with the worst first, and those of one level as they came", () => {
  const events = [finding("learning", "good"), finding("spike", "warning"), finding("flat", "warning"), finding("nan", "error")];
  assert.deepEqual(rules(...events), ["nan", "spike", "flat", "learning"]);
  assert.deepEqual(rules(...events, finding("spike", "warning", false)), ["nan", "flat", "learning"]);
  assert.deepEqual(rules(...events, finding("flat", "info")), ["nan", "spike", "flat", "learning"], "it stands there once");
});

test("news is what is newly wrong, or worse, and not the same with other numbers", () => {
  const before = [finding("flat", "warning"), finding("learning", "good")];
  assert.equal(isNews(before, finding("flat", "warning")), false);
  assert.equal(isNews(before, finding("flat", "error")), true);
  assert.equal(isNews(before, finding("spike", "warning")), true);
  assert.equal(isNews([], finding("learning", "good")), false);
  assert.equal(isNews([], finding("spike", "warning", false)), false);
});

test("what a person reads", () => {
  assert.deepEqual(concerns([finding("learning", "good"), finding("flat", "info")]).map(({ rule }) => rule), ["flat"]);
  assert.equal(placeText({ from_step: 1200, step: 1200 }), "step 1,200");
  assert.equal(placeText({ from_step: 3, step: 40 }), "steps 3 to 40");
  const rows = evidenceRows({ loss_before: 2.34567, updates: 12000, rows: [1, 2], lowest: { loss: 0.5, step: 3 }, kind: "nan", worst: null });
  assert.deepEqual(rows, [
    ["loss before", "2.35"], ["updates", "12,000"], ["rows", "1, 2"], ["lowest", "loss: 0.5, step: 3"], ["kind", "nan"], ["worst", "not a number"],
  ]);
});
