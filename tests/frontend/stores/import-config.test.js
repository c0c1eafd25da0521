import assert from "node:assert/strict";
import test from "node:test";
import { configFrom } from "../../../frontend/js/stores/import-config.js";

const KNOWN = ["batch_size", "sample_prompts", "max_length"];

test("a configuration comes alone or within a run's config.json", () => {
  const config = { batch_size: 8, sample_prompts: ["a"], max_length: null };
  assert.deepEqual(configFrom(JSON.stringify(config), KNOWN), { config, ignored: [] });
  assert.deepEqual(configFrom(`\uFEFF${JSON.stringify({ run_id: "x", config, model: {} })}`, KNOWN), { config, ignored: [] });
});

test("what is no setting is named", () => {
  assert.deepEqual(configFrom('{"batch_size": 8, "batchsize": 4, "speed": 1}', KNOWN).ignored, ["batchsize", "speed"]);
});

test("what cannot be used is refused with a sentence", () => {
  const refused = (/** @type {string} */ text, /** @type {RegExp} */ sentence) =>
    assert.throws(() => configFrom(text, KNOWN), { message: sentence });
  refused('{"batch_size": 8,}', /^The file is not JSON: /);
  refused("[1, 2]", /must be a JSON object/);
  refused("null", /must be a JSON object/);
  refused('{"speed": 1}', /none of the form's settings/);
  refused('{"batch_size": {"value": 8}}', /batch_size is an object/);
});
