import assert from "node:assert/strict";
import test from "node:test";
import { messagesOf, requestOf, transcriptOf, usualForm, wayOf } from "../../../../frontend/js/stores/playground/conversation.js";

const model = (/** @type {any} */ about) => /** @type {any} */ ({ chat: false, chat_template: false, run: null, ...about });
const SAID = [
  { user: "One?", answers: [{ model: "a", text: "Yes." }, { model: "b", text: "No." }] },
  { user: "Two?", answers: [{ model: "b", text: "Maybe." }] },
  { user: "Three?", answers: [] },
];

test("a run's model is asked as it learned, another one by its template", () => {
  assert.equal(usualForm(model({ run: "r", chat: true, chat_template: true })), "chat");
  assert.equal(usualForm(model({ run: "r", chat_template: true })), "prompt");
  assert.equal(usualForm(model({ chat_template: true })), "chat");
  assert.equal(usualForm(undefined), "prompt");
});

test("each model goes on from its own answers, and from another's where it has none", () => {
  const of = (/** @type {string} */ id) => messagesOf(SAID, id, "Be short.").map(({ content }) => content);
  assert.deepEqual(of("a"), ["Be short.", "One?", "Yes.", "Two?", "Maybe.", "Three?"]);
  assert.deepEqual(of("b"), ["Be short.", "One?", "No.", "Two?", "Maybe.", "Three?"]);
  assert.equal(messagesOf(SAID, "a", "  ")[0].role, "user", "an empty system message is none");
});

test("the last question's answer is left out, as it is what is asked for", () => {
  assert.deepEqual(messagesOf(SAID.slice(0, 1), "a", ""), [{ role: "user", content: "One?" }]);
});

test("a model without a chat format gets a transcript that ends where it is to answer", () => {
  assert.equal(wayOf("chat", model({})), "transcript");
  assert.equal(transcriptOf(messagesOf(SAID.slice(0, 2), "a", "S")), "S\nUser: One?\nAssistant: Yes.\nUser: Two?\nAssistant:");
  const request = requestOf({ form: "chat", said: SAID, system: "", id: "m", model: model({}), settings: { stop: ["x"] } });
  assert.deepEqual([request.stop, request.chat, request.messages], [["x", "\nUser:"], false, undefined]);
});

test("what is sent is a prompt or messages, never both", () => {
  const wanted = { said: SAID.slice(0, 1), system: "S", id: "m", model: model({ chat_template: true }), settings: { seed: 1 } };
  assert.deepEqual(requestOf({ ...wanted, form: "prompt" }), { seed: 1, model: "m", prompt: "One?", chat: false });
  const chat = requestOf({ ...wanted, form: "chat" });
  assert.deepEqual([chat.prompt, chat.messages?.length], [undefined, 2]);
});

test("an answer is gone on with where it broke off", () => {
  const wanted = { said: SAID.slice(0, 1), system: "", id: "m", settings: {}, begun: "Ye" };
  assert.equal(requestOf({ ...wanted, form: "prompt", model: model({}) }).prompt, "One?Ye");
  const chat = requestOf({ ...wanted, form: "chat", model: model({ chat_template: true }) });
  assert.deepEqual([chat.messages?.at(-1), chat.continue_answer], [{ role: "assistant", content: "Ye" }, true]);
  assert.match(requestOf({ ...wanted, form: "chat", model: model({}) }).prompt ?? "", /Assistant:Ye$/);
});
