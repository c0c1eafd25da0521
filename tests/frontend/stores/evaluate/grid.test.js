import assert from "node:assert/strict";
import test from "node:test";
import { promptsIn, standings } from "../../../../frontend/js/stores/evaluate/grid.js";
import { evaluateLink, parseRoute } from "../../../../frontend/js/router.js";

test("prompts are lines, each once", () => {
  assert.deepEqual(promptsIn(" a\n\n b b \na\r\n"), ["a", "b b"]);
  assert.deepEqual(promptsIn("\n"), []);
});

test("standings count how often each was rated best, of the prompts that were rated", () => {
  const answers = [{ model: "a" }, { model: "b" }];
  const rows = [
    { answers, verdict: /** @type {const} */ ({ kind: "better", model: "b" }) },
    { answers, verdict: /** @type {const} */ ({ kind: "better", model: "b" }) },
    { answers, verdict: /** @type {const} */ ({ kind: "equal" }) },
    { answers, verdict: null },
  ];
  assert.deepEqual(standings(rows), [{ model: "b", won: 2, of: 3 }, { model: "a", won: 0, of: 3 }]);
});

test("a link names the part, the models and the datasets", () => {
  const { page, query } = parseRoute(evaluateLink(["run:1@step-2", "a&b/c"], "datasets", ["run:1"]));
  assert.equal(page, "evaluate");
  assert.deepEqual(Object.fromEntries(query), { part: "datasets", models: "run:1@step-2,a&b/c", datasets: "run:1" });
});
