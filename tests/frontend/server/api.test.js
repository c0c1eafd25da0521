import assert from "node:assert/strict";
import test from "node:test";
import { generate } from "../../../frontend/js/server/api.js";
import { ApiError } from "../../../frontend/js/server/requests.js";

const TOKEN = 'event: token\ndata: {"text": "a"}\n\n';
const DONE = 'event: done\ndata: {"completion_tokens": 1}\n\n';

/** What the page gets of an answer whose body is these pieces and then ends, or breaks with an error. */
async function answer(t, pieces, broken) {
  const body = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(new TextEncoder().encode(piece));
      else if (broken) controller.error(broken);
      else controller.close();
    },
  });
  t.mock.method(globalThis, "fetch", async () => new Response(body));
  const types = [];
  try {
    for await (const { type } of generate({ model: "m", prompt: "p" }, new AbortController().signal)) types.push(type);
  } catch (error) {
    return { types, error };
  }
  return { types, error: null };
}

test("an answer that comes to its end is no error", async (t) => {
  assert.deepEqual(await answer(t, [TOKEN, DONE]), { types: ["token", "done"], error: null });
});

test("an answer that breaks off is an error with a sentence", async (t) => {
  for (const broken of [null, new TypeError("network error")]) {
    const { types, error } = await answer(t, [TOKEN], broken);
    assert.deepEqual(types, ["token"]);
    assert.ok(error instanceof ApiError && error.code === "unreachable", String(error));
  }
});

test("stopping an answer is not taken for a lost connection", async (t) => {
  const stopped = new DOMException("stopped", "AbortError");
  assert.equal((await answer(t, [TOKEN], stopped)).error, stopped);
});

test("only what may pass is worth another try", () => {
  const passing = (/** @type {number} */ status) => new ApiError(status, { code: "c", message: "m" }).passing;
  assert.deepEqual([0, 404, 422, 503].map(passing), [true, false, false, true]);
});
