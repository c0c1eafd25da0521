import assert from "node:assert/strict";
import test from "node:test";
import * as kept from "../../../../frontend/js/stores/playground/kept.js";

/** A browser's storage with room for so many characters. @param {number} room */
function storage(room = Infinity) {
  const store = new Map();
  globalThis.localStorage = /** @type {any} */ ({
    getItem: (/** @type {string} */ key) => store.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => {
      if (value.length > room) throw new DOMException("full", "QuotaExceededError");
      store.set(key, value);
    },
    removeItem: (/** @type {string} */ key) => store.delete(key),
  });
  return store;
}

const entry = (/** @type {string} */ id, text = "") => /** @type {any} */ ({ id, time: "", said: [{ user: text, answers: [] }] });

test("the history is bounded, the newest first, and a later state takes the place of an earlier one", () => {
  storage();
  for (let i = 0; i < 60; i += 1) kept.remember(entry(String(i)));
  assert.equal(kept.history().length, 50);
  kept.remember(entry("20", "again"));
  assert.equal(kept.history().length, 50);
  assert.deepEqual(kept.history().slice(0, 2).map(({ id }) => id), ["20", "59"]);
  kept.forget("20");
  assert.equal(kept.history().some(({ id }) => id === "20"), false);
  kept.forgetAll();
  assert.deepEqual(kept.history(), []);
});

test("long entries push out old ones, and one that is too long none", () => {
  assert.deepEqual(kept.bounded(["a".repeat(50), "b".repeat(40), "c".repeat(9)], 10, 100), ["a".repeat(50), "b".repeat(40)]);
  assert.deepEqual(kept.bounded(["a".repeat(101), "b"], 10, 100), ["b"]);
});

test("own presets are kept by name", () => {
  storage();
  kept.keepPreset("mine", { temperature: "1" });
  kept.keepPreset("other", { temperature: "2" });
  kept.keepPreset("mine", { temperature: "3" });
  assert.deepEqual(kept.ownPresets().map(({ name, values, own }) => [name, values.temperature, own]), [["mine", "3", true], ["other", "2", true]]);
  kept.dropPreset("mine");
  assert.deepEqual(kept.ownPresets().map(({ name }) => name), ["other"]);
});

test("a browser that keeps nothing, or something else, breaks nothing", () => {
  storage(0);
  kept.remember(entry("1"));
  assert.deepEqual(kept.history(), []);
  storage().set("playground-history", "{broken");
  assert.deepEqual(kept.history(), []);
  storage().set("playground-history", '{"a": 1}');
  assert.deepEqual(kept.history(), []);
});
