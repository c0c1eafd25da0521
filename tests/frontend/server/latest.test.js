import assert from "node:assert/strict";
import test from "node:test";
import { Latest } from "../../../frontend/js/server/latest.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("of requests within the pause only the newest is made", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const latest = new Latest();
  const made = [];
  const results = [];
  for (const name of ["a", "b", "c"]) {
    latest.ask(400, async () => (made.push(name), name), (result) => results.push(result), assert.fail);
    t.mock.timers.tick(399);
  }
  assert.deepEqual(made, []);
  t.mock.timers.tick(1);
  await settled();
  assert.deepEqual([made, results], [["c"], ["c"]]);
});

test("the request under way is aborted, and neither its answer nor its failure is heard", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const latest = new Latest();
  const heard = [];
  const hear = (/** @type {unknown} */ value) => heard.push(value);
  const slow = Promise.withResolvers();
  let aborted = false;
  latest.ask(0, (signal) => ((signal.onabort = () => (aborted = true)), slow.promise), hear, hear);
  t.mock.timers.tick(0);
  latest.ask(0, async () => "new", hear, hear);
  assert.ok(aborted);
  slow.reject(new Error("aborted"));
  t.mock.timers.tick(0);
  await settled();
  assert.deepEqual(heard, ["new"]);
});

test("after a cancel nothing comes", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const latest = new Latest();
  latest.ask(400, async () => assert.fail("was asked"), assert.fail, assert.fail);
  latest.cancel();
  t.mock.timers.tick(1000);
  await settled();
});
