import assert from "node:assert/strict";
import test from "node:test";
import { carriedText, changesOf, changesText, draftOf, forkSteps, nearestBefore } from "../../../frontend/js/stores/fork.js";
import { fieldsOf } from "../../../frontend/js/stores/form.js";
import { treeOf } from "../../../frontend/js/stores/lineage.js";

const FIELDS = fieldsOf({
  properties: {
    learning_rate: { anyOf: [{ type: "number" }, { type: "null" }], default: null, label: "Learning rate" },
    max_steps: { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
    packing: { type: "boolean", default: true },
  },
});
const CONFIG = { learning_rate: 0.001, max_steps: 12, packing: true };

test("a fix fills in the settings that it changes, and only what differs is sent", () => {
  const draft = draftOf(FIELDS, CONFIG, { step: null, changes: { learning_rate: 0.0001, unheard_of: 1 } });
  assert.deepEqual(draft.names, ["learning_rate"]);
  assert.deepEqual(changesOf(FIELDS, CONFIG, draft), { learning_rate: 0.0001 });
  const same = { ...draft, typed: { ...draft.typed, learning_rate: "1e-3" } };
  assert.deepEqual(changesOf(FIELDS, CONFIG, same), {});
  const emptied = { ...draft, names: ["max_steps", "packing"], typed: { ...draft.typed, max_steps: "", packing: false } };
  assert.deepEqual(changesOf(FIELDS, CONFIG, emptied), { max_steps: null, packing: false }, "null asks for the usual");
  assert.deepEqual(draftOf(FIELDS, CONFIG, { step: 4, changes: {} }).names, ["learning_rate"]);
});

test("one goes on from checkpoints, and from the nearest at or before a point", () => {
  const checkpoints = /** @type {any} */ ([
    { name: "step-000008", step: 8 }, { name: "step-000004", step: 4 }, { name: "step-000008", step: 8 }, { name: "model", step: 12 },
  ]);
  assert.deepEqual(forkSteps(checkpoints), [4, 8]);
  assert.equal(nearestBefore([4, 8], 7), 4);
  assert.equal(nearestBefore([4, 8], 8), 8);
  assert.equal(nearestBefore([4, 8], 3), null);
});

test("what goes on, and what changed, in words", () => {
  const label = (/** @type {string} */ name) => name;
  assert.match(carriedText({ state: "exact", step: 40, because: [] }, label), /^Goes on exactly from step 40: weights, optimizer/);
  assert.match(carriedText({ state: "weights", step: 40, because: ["seed"] }, label), /from the weights of step 40: seed leaves no more/);
  assert.match(carriedText({ state: "weights", step: 40, because: [] }, label), /The checkpoint holds no more/);
  assert.match(carriedText({ state: "start", step: null, because: [] }, label), /^Begins from the start/);
  const changes = { learning_rate: { before: 5e-4, after: 5e-5 }, max_steps: { before: 12, after: null }, packing: { before: true, after: false } };
  const origin = { run: "r", name: "fox", step: 4, state: /** @type {const} */ ("exact"), changes };
  assert.equal(changesText(origin), "learning rate 5e-4 → 5e-5, max steps 12 → none, packing on → off");
  assert.equal(changesText({ ...origin, changes: {} }), "nothing changed");
  const rows = { exclude_rows: { before: [], after: [1, 2, 3, 4, 5] }, evaluation_datasets: { before: ["a"], after: ["a", "b"] } };
  assert.equal(changesText({ ...origin, changes: rows }), "exclude rows none → 5 entries, evaluation datasets a → a · b");
});

test("a family is a tree from its eldest on", () => {
  const relative = (/** @type {string} */ id, /** @type {string} */ run) => /** @type {any} */ ({ id, origin: run ? { run } : null });
  const tree = treeOf([relative("a", ""), relative("b", "a"), relative("c", "a"), relative("d", "b")]);
  assert.deepEqual(tree?.children.map(({ id, children }) => [id, children.length]), [["b", 1], ["c", 0]]);
  assert.equal(treeOf([]), null);
});
