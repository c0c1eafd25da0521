import assert from "node:assert/strict";
import test from "node:test";
import { cellsOf, chance, contrast, inText, verdict } from "../../../../frontend/js/stores/evaluate/heat.js";

/** @param {string} text @param {number | null} nats @param {number} [bytes] */
const token = (text, nats, bytes = new TextEncoder().encode(text).length) => ({ text, nats, bytes, id: 1, rank: 1, top: [] });

test("tokens that make up one character are one cell, and their losses add up", () => {
  const cells = cellsOf([token("a", null), token("", 1, 1), token("", 2, 2), token("🐢", 0.5, 1), token(" b", 0.1)]);
  assert.deepEqual(cells.map(({ text, nats }) => [text, nats]), [["a", null], ["🐢", 3.5], [" b", 0.1]]);
  assert.equal(cells[1].tokens.length, 3);
  assert.deepEqual(cellsOf([token("a", null), token("", 1, 1)]).map(({ text }) => text), ["a", ""], "a character that never ends");
  assert.deepEqual(cellsOf([]), []);
});

test("levels go by the chance that a token had", () => {
  const level = (/** @type {number} */ chance) => cellsOf([token("x", -Math.log(chance))])[0].level;
  assert.deepEqual([1, 0.51, 0.49, 0.09, 0.009, 0.0009, 1e-30].map(level), [0, 0, 1, 2, 3, 4, 4]);
});

test("two tokenizers are set against each other where both have the end of a token", () => {
  const first = cellsOf([token("The", null), token(" little", 2), token(" f", 1), token("ox", 1), token(".", 0.5)]);
  const second = cellsOf([token("<s>", null, 0), token("The", 3), token(" lit", 1), token("tle fox", 4), token(".", 0.5)]);
  const pieces = contrast(first, second);
  assert.deepEqual(
    pieces?.map(({ text, nats, less, level }) => [text, nats, less, level]),
    [["The", [null, 3], null, 0], [" little fox", [4, 5], 1, 2], [".", [0.5, 0.5], 0, 0]],
  );
});

test("of one tokenizer the pieces are the tokens, and the sign tells who finds them likelier", () => {
  const pieces = contrast(cellsOf([token("a", null), token("b", 5)]), cellsOf([token("a", null), token("b", 1)]));
  assert.deepEqual(pieces?.map(({ less, level }) => [less, level]), [[null, 0], [-4, 3]]);
});

test("texts that are spelled differently are not compared", () => {
  assert.equal(contrast(cellsOf([token("The", 1)]), cellsOf([token("the", 1)])), null);
});

test("a chance is told as a person reads it", () => {
  assert.deepEqual([0, Math.log(2), Math.log(50), Math.log(3000), 20].map(chance), ["over 99.9%", "50%", "2%", "0.033%", "under 0.01%"]);
});

test("a sentence says which model finds the text likelier", () => {
  const model = (/** @type {string} */ name, /** @type {number | null} */ bits) => ({ name, scores: { bits_per_byte: bits } });
  assert.match(verdict([model("A", 2)]), /^A needs 2.000 bits for each byte/);
  assert.equal(verdict([model("A", 2), model("B", 1)]), "B finds the text likelier: 1.000 bits per byte against 2.000, which is 50% less.");
  assert.match(verdict([model("A", 1), model("B", 1.00001)]), /equally likely/);
  assert.match(verdict([model("A", null), model("B", 1)]), /too short/);
});

test("blanks within a text stay, and what cannot be seen gets a sign", () => {
  assert.deepEqual([" fox", "a b", "\n", "\t", "x\n ", "", " ", "a·"].map(inText), [" fox", "a b", "⏎", "⇥", "x⏎ ", "", " ", "a·"]);
});
