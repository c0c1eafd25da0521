import assert from "node:assert/strict";
import test from "node:test";

test("all is asked for at once and as the module is loaded; a stream after the oldest answer has what came between them", async () => {
  /** @type {string[]} */
  const asked = [];
  /** @type {(() => void)[]} */
  const answer = [];
  const cursors = { run: 9, series: 7, samples: 8, checkpoints: 6, events: 9, findings: 8 };
  globalThis.location = /** @type {any} */ ({ hash: "#/runs/20260101-000000-abcd" });
  globalThis.fetch = /** @type {any} */ (async (/** @type {string} */ path) => {
    const what = path.split("?")[0].split("/")[4] ?? "run";
    asked.push(what);
    await new Promise((resolve) => answer.push(() => resolve(undefined)));
    return Response.json({ stream_cursor: cursors[/** @type {keyof cursors} */ (what)] });
  });
  const { answersOf } = await import("../../../frontend/js/stores/run-answers.js");
  const answers = answersOf("20260101-000000-abcd");
  assert.deepEqual(asked.sort(), ["checkpoints", "events", "findings", "run", "samples", "series"]);
  answer.reverse().forEach((give) => give());
  assert.equal((await answers).cursor, 6);
});
