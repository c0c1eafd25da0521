import assert from "node:assert/strict";
import test from "node:test";
import { codeFor } from "../../../../frontend/js/stores/playground/code.js";

const ORIGIN = "http://127.0.0.1:8000";
const SETTINGS = { temperature: 0, top_k: 5, max_new_tokens: 20, seed: 3 };

test("curl's body survives quotes", () => {
  const code = codeFor("curl", ORIGIN, { ...SETTINGS, model: "m", prompt: "it's", chat: false });
  assert.match(code, /'\{.*it'\\''s.*"chat":false\}'$/s);
});

test("Python has Python's words", () => {
  const code = codeFor("python", ORIGIN, { ...SETTINGS, model: "m", prompt: 'say "x"\n', chat: false });
  assert.match(code, /"chat": False/);
  assert.match(code, /"prompt": "say \\"x\\"\\n"/);
});

test("OpenAI's client gets its own names, and the others in extra_body", () => {
  const chat = codeFor("openai", ORIGIN, { ...SETTINGS, model: "m", messages: [{ role: "user", content: "Hi" }] });
  assert.match(chat, /client\.chat\.completions\.create/);
  assert.match(chat, /max_tokens=20,/);
  assert.match(chat, /extra_body=\{"top_k": 5\}/);
  const text = codeFor("openai", ORIGIN, { ...SETTINGS, model: "m", prompt: "Hi", chat: false });
  assert.match(text, /client\.completions\.create/);
  assert.doesNotMatch(text, /chat=/);
});
