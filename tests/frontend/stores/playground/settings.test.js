import assert from "node:assert/strict";
import test from "node:test";
import { INITIAL, presetIn, PRESETS, presetValues, sentOf, stopsOf, withSeed } from "../../../../frontend/js/stores/playground/settings.js";

test("what is filled in is sent as numbers, and what is none for the server to judge", () => {
  const sent = sentOf({ ...INITIAL, temperature: "0", top_k: "many", seed: " ", stop: "END\n\n\\n\\n" });
  assert.equal(sent.temperature, 0);
  assert.equal(sent.top_k, "many");
  assert.ok(!("seed" in sent));
  assert.deepEqual(sent.stop, ["END", "\n\n"]);
  assert.ok(!("stop" in sentOf(INITIAL)));
});

test("a stop string keeps its blanks", () => assert.deepEqual(stopsOf(" a \n\tb"), [" a ", "\tb"]));

test("a seed that is typed wins over the one that is drawn", () => {
  assert.equal(withSeed({ seed: 7 }).seed, 7);
  const { seed } = withSeed({});
  assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31);
});

test("the preset in use is told, and each of ours is itself", () => {
  assert.equal(presetIn(INITIAL, PRESETS)?.name, "Balanced");
  for (const preset of PRESETS) assert.equal(presetIn({ ...INITIAL, ...preset.values }, PRESETS), preset);
  assert.equal(presetIn({ ...INITIAL, top_k: "3" }, PRESETS), null);
});

test("an own preset holds all but the seed", () => {
  assert.deepEqual(Object.keys(presetValues(INITIAL)).sort(), Object.keys(INITIAL).filter((name) => name !== "seed").sort());
});
