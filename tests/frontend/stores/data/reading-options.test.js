import assert from "node:assert/strict";
import test from "node:test";
import { separatorsOf, switchesOf, variablesAsText, variablesOf } from "../../../../frontend/js/stores/data/reading-options.js";

test("variables are typed as name = value, and shown so again", () => {
  const typed = 'enable_thinking = False\neffort: "high"\ndepth=2\nnone = null\n\nrole = a b';
  const variables = { enable_thinking: false, effort: "high", depth: 2, none: null, role: "a b" };
  assert.deepEqual(variablesOf(typed), { variables, wrong: null });
  assert.deepEqual(variablesOf(variablesAsText(variables)).variables, variables);
});

test("a line that is no variable is told, and the others count", () => {
  assert.deepEqual(variablesOf("a = 1\nnonsense\nb ="), { variables: { a: 1 }, wrong: "nonsense" });
});

test("a separator that came from elsewhere is among the choices", () => {
  assert.equal(separatorsOf(null).length, separatorsOf("").length);
  assert.deepEqual(separatorsOf(" -> ").at(-1), [" -> ", '" -> "']);
});

test("only switches with an effect are shown", () => {
  const names = (/** @type {any} */ kind, /** @type {string[]} */ columns) => switchesOf({ kind }, columns).map(({ name }) => name);
  assert.deepEqual(names("text", []), ["special_tokens"]);
  assert.deepEqual(names("chat", ["messages"]), ["special_tokens", "empty_words", "system_into_user"]);
});
