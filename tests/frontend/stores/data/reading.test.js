import assert from "node:assert/strict";
import test from "node:test";
import { formatOf, inWords, isChatOfColumns, isSame, readingOf, roleOf, sizeOf } from "../../../../frontend/js/stores/data/reading.js";

const COLUMNS = ["id", "Question", "answer"];

test("columns are guessed by their usual names, and each is used once", () => {
  assert.deepEqual(readingOf("completion", COLUMNS), { kind: "completion", prompt: "Question", completion: "answer" });
  assert.deepEqual(readingOf("completion", ["a", "b"]), { kind: "completion", prompt: "a", completion: "b" });
  assert.deepEqual(readingOf("text", ["title", "body"]), { kind: "text", text: "body" });
  assert.deepEqual(readingOf("chat", ["id", "messages"]), { kind: "chat", messages: "messages" });
});

test("what was chosen before is kept where it fits", () => {
  const before = readingOf("text", COLUMNS, { kind: "document", text: "answer" });
  assert.deepEqual(before, { kind: "text", text: "answer" });
});

test("a file without columns needs none", () => {
  assert.deepEqual(readingOf("document", []), { kind: "document" });
});

test("only the columns of its kind make a reading another", () => {
  const server = { kind: "text", text: "a", prompt: null, completion: null, messages: null };
  assert.ok(isSame({ kind: "text", text: "a", prompt: "left over" }, server));
  assert.ok(!isSame({ kind: "text", text: "b" }, server));
  assert.ok(!isSame({ kind: "document", text: "a" }, server));
  assert.equal(roleOf({ kind: "completion", prompt: "a", completion: "b", text: "c" }, "b"), "completion");
  assert.equal(roleOf({ kind: "completion", prompt: "a", completion: "b", text: "c" }, "c"), null);
});

test("a dataset is told in words", () => {
  const dataset = { columns: [], reading: { kind: "text" }, rows: 1200, format: "txt", encoding: "utf-8", compressed: false };
  assert.deepEqual([inWords(dataset), sizeOf(dataset), formatOf(dataset)], [
    "one example per line", "1,200 examples", "plain text, UTF-8",
  ]);
  const table = { ...dataset, columns: ["p", "c"], reading: { kind: "completion", prompt: "p", completion: "c" }, rows: 1 };
  assert.deepEqual([inWords(table), sizeOf(table)], ["“p” to read, “c” to learn", "1 example"]);
  const other = { ...dataset, reading: { kind: "document" }, format: "parquet", compressed: false, rows: 1 };
  assert.deepEqual([inWords(other), sizeOf(other), formatOf(other)], ["one long document", "one document", "Parquet"]);
});

test("a chat may be made of columns, and what it reads is marked", () => {
  const chat = readingOf("chat", ["instruction", "input", "output"]);
  assert.deepEqual(chat, { kind: "chat", prompt: "instruction", completion: "output" });
  assert.ok(isChatOfColumns(chat));
  assert.equal(roleOf({ ...chat, history: "input" }, "input"), "history");
  assert.equal(roleOf({ ...chat, template: "{instruction}\n{input.text}" }, "input"), "prompt");
  assert.equal(
    inWords({ columns: ["a"], reading: { ...chat, template: "{a}\n\n{b}" } }),
    "conversations that ask “{a}”, “{b}” and answer “output”",
  );
  assert.deepEqual(readingOf("chat", ["messages", "x"], chat).messages, "messages");
});

test("a template is kept for what it makes, and no longer", () => {
  const completion = { kind: "completion", template: "{a} {b}", prompt: "a", completion: "c" };
  assert.equal(readingOf("chat", ["a", "b", "c"], completion).template, "{a} {b}");
  assert.equal(readingOf("text", ["a", "b", "c"], completion).template, null);
});

test("what has no effect makes no reading another, and what has one does", () => {
  const pair = { kind: "completion", prompt: "a", completion: "b" };
  assert.ok(isSame(pair, { ...pair, separator: null, special_tokens: false, chat_template_kwargs: {}, system_into_user: true }));
  assert.ok(isSame({ ...pair, template: "{a}" }, { ...pair, template: "{a}", prompt: "c" }));
  for (const other of [{ separator: "" }, { special_tokens: true }, { empty_words: true }, { template: "{a}" }, { label: "c" }]) {
    assert.ok(!isSame(pair, { ...pair, ...other }), JSON.stringify(other));
  }
  const chat = { kind: "chat", messages: "m" };
  assert.ok(!isSame(chat, { ...chat, chat_template_kwargs: { a: true } }));
  assert.ok(!isSame(chat, { ...chat, system_into_user: true }));
});
