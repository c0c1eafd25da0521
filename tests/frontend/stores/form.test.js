import assert from "node:assert/strict";
import test from "node:test";
import { curlOf, fieldsOf, isChanged, isShown, payloadOf, presetForGpu, summaryOf, typedFrom, valueOf } from "../../../frontend/js/stores/form.js";

const FIELDS = fieldsOf({
  properties: {
    name: { anyOf: [{ type: "string" }, { type: "null" }], default: null, description: "What it is called.", label: "Name", group: "a" },
    batch_size: { type: "integer", default: 4, minimum: 1, label: "Batch size", group: "b", unit: "examples" },
    learning_rate: { anyOf: [{ type: "number" }, { type: "null" }], default: null, label: "Learning rate", group: "b" },
    packing: { type: "boolean", default: true, label: "Pack", group: "b" },
    lr_scheduler: { type: "string", enum: ["linear", "cosine"], default: "linear", label: "Schedule", group: "b" },
    sample_prompts: { type: "array", items: { type: "string" }, default: ["Once"], label: "Sample prompts", group: "b" },
  },
});
const field = (/** @type {string} */ name) => /** @type {any} */ (FIELDS.find((each) => each.name === name));

test("fields take kind, help and unit from the schema", () => {
  assert.deepEqual(FIELDS.map(({ kind }) => kind), ["text", "number", "number", "switch", "choice", "lines"]);
  assert.equal(field("name").help, "What it is called.");
  assert.equal(field("batch_size").unit, "examples");
  assert.deepEqual(field("lr_scheduler").options, ["linear", "cosine"]);
});

test("an untouched form sends nothing", () => {
  assert.deepEqual(payloadOf(FIELDS, typedFrom(FIELDS)), {});
});

test("what was typed is sent with its type; what was emptied is absent", () => {
  const typed = {
    ...typedFrom(FIELDS),
    ...{ batch_size: " 8 ", learning_rate: "5e-5", packing: false, sample_prompts: "One\n\n  Two \n", name: "  " },
  };
  assert.deepEqual(payloadOf(FIELDS, typed), {
    batch_size: 8, learning_rate: 5e-5, packing: false, sample_prompts: ["One", "Two"],
  });
  assert.deepEqual(payloadOf(FIELDS, { ...typedFrom(FIELDS), batch_size: "" }), {});
});

test("all prompts removed is a choice, not a default", () => {
  assert.deepEqual(payloadOf(FIELDS, { ...typedFrom(FIELDS), sample_prompts: "" }), { sample_prompts: [] });
});

test("what is no number goes to the server, which says what is wrong with it", () => {
  assert.equal(valueOf(field("batch_size"), "four"), "four");
  assert.equal(valueOf(field("batch_size"), "Infinity"), "Infinity");
  assert.equal(valueOf(field("batch_size"), "3.5"), 3.5);
});

test("a preset stands over the defaults and shows in the summary", () => {
  const typed = typedFrom(FIELDS, { batch_size: 16, packing: false, sample_prompts: ["a", "b"] });
  assert.equal(typed.lr_scheduler, "linear");
  assert.equal(summaryOf(FIELDS, typed), "Batch size 16 · Pack off · 2 sample prompts");
  assert.ok(!isChanged(field("batch_size"), { batch_size: "4" }));
});

test("fields that have a meaning with one option of a choice are shown and sent with it alone", () => {
  const choice = (/** @type {string[]} */ ...options) => ({ type: "string", enum: options, default: options[0] });
  const fields = fieldsOf({
    properties: {
      method: { ...choice("full", "lora"), group: "m" },
      lora_rank: {
        type: "integer",
        default: 16,
        label: "LoRA rank",
        group: "m",
        only_with: { name: "method", option: "lora" },
      },
      on_oom: { ...choice("retry", "fail"), group: "b" },
      compile: { ...choice("auto", "on"), group: "s" },
    },
  });
  const shown = (/** @type {any} */ typed) => fields.filter((each) => isShown(each, typed)).map((each) => each.name);
  const typed = { ...typedFrom(fields), lora_rank: "8" };
  assert.deepEqual(shown(typed), ["method", "on_oom", "compile"]);
  assert.deepEqual([payloadOf(fields, typed), summaryOf(fields, typed)], [{}, ""]);
  const lora = { ...typed, method: "lora" };
  assert.deepEqual(shown(lora), ["method", "lora_rank", "on_oom", "compile"]);
  assert.deepEqual(payloadOf(fields, lora), { method: "lora", lora_rank: 8 });
});

test("the curl command survives quotes", () => {
  const command = curlOf("http://127.0.0.1:8000", { name: "it's" });
  assert.match(command, /POST http:\/\/127\.0\.0\.1:8000\/api\/runs/);
  assert.ok(command.endsWith(`'{"name":"it'\\''s"}'`), command);
});

test("the preset for a GPU is that of the largest size it has", () => {
  const GIB = 1024 ** 3;
  const presets = [{ id: "plain" }, ...[6, 8, 24].map((size) => ({ id: `${size}`, gpu_memory_bytes: size * GIB }))];
  const suited = (/** @type {any[]} */ ...devices) => presetForGpu(/** @type {any} */ (presets), devices)?.id ?? null;
  assert.equal(suited({ id: "cpu", memory_bytes: 64 * GIB }), null);
  assert.equal(suited({ id: "cuda:0", memory_bytes: 7.8 * GIB }), "8");
  assert.equal(suited({ id: "cuda:0", memory_bytes: 7.8 * GIB }, { id: "cuda:1", memory_bytes: 80 * GIB }), "24");
  assert.equal(suited({ id: "cuda:0", memory_bytes: 4 * GIB }), null);
});
