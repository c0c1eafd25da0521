import assert from "node:assert/strict";
import test from "node:test";
import { coalesce } from "../../../frontend/js/server/coalesce.js";

test("calls made during the work lead to one more round", async () => {
  let rounds = 0;
  const call = coalesce(async () => {
    rounds += 1;
    await Promise.resolve();
  });
  await Promise.all([call(), call(), call()]);
  assert.equal(rounds, 2);
  await call();
  assert.equal(rounds, 3);
});

test("a failure is told to the caller and does not block the next call", async () => {
  let fail = true;
  const call = coalesce(async () => {
    if (fail) throw new Error("no");
  });
  await assert.rejects(call());
  fail = false;
  await call();
});
