import assert from "node:assert/strict";
import test from "node:test";
import { directionOf, noteOf, occurring, visible } from "../../../../frontend/js/stores/data/token-text.js";

test("white space has a sign", () => {
  assert.equal(visible(" a\tb\r\n"), "·a⇥b␍⏎");
  assert.equal(visible("a\u00A0b"), "a⍽b");
  assert.equal(visible("\u0000"), "\u2400");
  assert.equal(visible(""), "∅");
});

test("emoji and joined letters stay whole", () => {
  assert.equal(visible("👩‍👩‍👧"), "👩‍👩‍👧");
  assert.equal(visible("مرحبا"), "مرحبا");
});

test("a token that is no whole character says so", () => {
  assert.equal(noteOf("\uFFFD"), "part of a character");
  assert.equal(noteOf("a"), "");
});

test("a row runs the way of its first letter", () => {
  const row = (/** @type {string[]} */ ...texts) => directionOf(texts.map((text) => ({ text })));
  assert.equal(row("12 ", "שלום", "a"), "rtl");
  assert.equal(row("Hello", "שלום"), "ltr");
  assert.equal(row("12", "!"), "ltr");
});

test("states are counted in one order, those without a token left out", () => {
  assert.deepEqual(occurring({ padding: 2, trained: 5, masked: 0 }), [["trained", 5], ["padding", 2]]);
});
