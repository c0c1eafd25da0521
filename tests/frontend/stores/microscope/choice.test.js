import assert from "node:assert/strict";
import test from "node:test";
import { choiceQuery, neighbour, parseChoice, requestOf, stopsOf } from "../../../../frontend/js/stores/microscope/choice.js";

test("a link leads back to what was chosen", () => {
  const choices = [
    { checkpoint: "step-000040", row: 12, text: null, layer: 3, head: 1, stage: "update" },
    { checkpoint: "", row: 1, text: "a & b = ü\n", layer: 0, head: 0, stage: "forward" },
  ];
  for (const choice of choices) {
    assert.deepEqual(parseChoice(new URLSearchParams(choiceQuery(/** @type {any} */ (choice)))), choice);
  }
});

test("what makes no sense in a link is passed over", () => {
  const query = new URLSearchParams("row=-3&layer=x&head=1e9&stage=sideways&text=");
  assert.deepEqual(parseChoice(query), { checkpoint: "", row: 1, text: null, layer: 0, head: 0, stage: "forward" });
});

test("a row is asked for, or a text, never both", () => {
  const choice = parseChoice(new URLSearchParams("row=7"));
  assert.deepEqual(requestOf(choice), { checkpoint: null, dataset_row: 7, layer: 0, head: 0, top_k: 8 });
  assert.deepEqual(requestOf({ ...choice, text: "hm" }), { checkpoint: null, text: "hm", layer: 0, head: 0, top_k: 8 });
});

test("stages end at both ends", () => {
  assert.equal(neighbour("forward", -1), "forward");
  assert.equal(neighbour("forward", 1), "loss");
  assert.equal(neighbour("update", 1), "update");
});

test("the slider goes from the untrained model to the finished one", () => {
  const saved = (/** @type {string} */ name, /** @type {number} */ step, /** @type {string} */ kind) => ({ name, step, kind, bytes: 1, path: "", model: null, validation_loss: null });
  const stops = stopsOf(/** @type {any} */ ([saved("step-000004", 4, "best"), saved("step-000002", 2, "periodic"), saved("adapter", 4, "adapter"), saved("model", 4, "final")]));
  assert.deepEqual(stops.map(({ name }) => name), ["start", "step-000002", "step-000004", "final"]);
  assert.equal(stops[2].title, "After update 4, best");
  assert.deepEqual(stopsOf([]).map(({ name }) => name), ["start"]);
});
