import assert from "node:assert/strict";
import test from "node:test";
import { applyEvent, hasEnded, mergeSnapshot, progress } from "../../../frontend/js/stores/run-state.js";

const RUN = /** @type {any} */ ({
  id: "r", name: "tiny on sample", status: "running", phase: "training", reason: null, hint: null,
  step: 0, total_steps: 100, epoch: 0, loss: null, validation_loss: null, best_validation_loss: null, learning_rate: null,
  tokens_per_s: null, eta_s: null, device: null, sparkline: [], stream_cursor: 10,
});
const event = (/** @type {any} */ fields) => ({ run: "r", cursor: 11, time: "t", ...fields });
const step = (/** @type {number} */ n, cursor = 10 + n) =>
  event({ type: "step", cursor, step: n, epoch: n / 50, loss: 5 - n / 100, lr: 0.001, tokens_per_s: 900, step_ms: 200 });

test("events up to the snapshot's cursor are in it already", () => {
  assert.equal(applyEvent(RUN, step(1, 10)), RUN);
  assert.equal(applyEvent(RUN, step(1, 11)).step, 1);
});

test("a step moves numbers and the time left", () => {
  const run = applyEvent(RUN, step(1));
  assert.equal(run.loss, 4.99);
  assert.equal(run.tokens_per_s, 900);
  assert.ok(Math.abs(Number(run.eta_s) - 99 * 0.2) < 1e-9);
  const paced = applyEvent({ ...RUN, step: 50, eta_s: 50 }, step(51));
  // A second each so far and 0.2 s now: 5% of the way from one to the other, for the 49 steps that are left.
  assert.ok(Math.abs(Number(paced.eta_s) - 49 * (1 - 0.05 * 0.8)) < 1e-9, `one quick step barely changes the pace: ${paced.eta_s}`);
  assert.equal(applyEvent({ ...RUN, step: 99, eta_s: 1 }, step(100)).eta_s, 0);
  assert.equal(applyEvent({ ...RUN, total_steps: null }, step(1)).eta_s, null);
});

test("status comes from the server's events alone", () => {
  const finished = applyEvent(RUN, event({ type: "status", phase: "completed", reason: "All epochs done." }));
  assert.equal(finished.status, "running");
  assert.equal(finished.phase, "completed");
  assert.equal(finished.reason, "All epochs done.");
  assert.equal(applyEvent(RUN, event({ type: "server", fact: "completed", status: "completed" })).status, "completed");
});

test("facts that a status event does not tell stay", () => {
  const known = event({ type: "status", phase: "training", total_steps: 200, batch_size: 2, precision: null });
  const run = applyEvent({ ...RUN, precision: "fp32" }, known);
  assert.deepEqual([run.total_steps, run.batch_size, run.precision], [200, 2, "fp32"]);
  assert.equal(applyEvent(run, event({ type: "status", cursor: 12, phase: "saving" })).total_steps, 200);
});

test("only a better evaluation is the best", () => {
  const first = applyEvent(RUN, event({ type: "evaluation", step: 0, loss: 3, best: true }));
  const worse = applyEvent(first, event({ type: "evaluation", cursor: 12, step: 9, loss: 4, best: false }));
  assert.equal(worse.validation_loss, 4);
  assert.equal(worse.best_validation_loss, 3);
});

test("a sparkline keeps its shape and its size over a long run", () => {
  let run = { ...RUN, total_steps: 5000 };
  for (let n = 1; n <= 5000; n += 1) run = applyEvent(run, { ...step(n), loss: n });
  assert.ok(run.sparkline.length > 20 && run.sparkline.length <= 60, String(run.sparkline.length));
  assert.equal(run.sparkline[0], 1, "it still begins with the run");
  const gaps = run.sparkline.slice(1).map((/** @type {number} */ value, /** @type {number} */ i) => value - run.sparkline[i]);
  assert.ok(Math.max(...gaps) <= 3 * Math.min(...gaps), `points ${Math.min(...gaps)} to ${Math.max(...gaps)} steps apart`);
});

test("an answer that took its time does not turn the clock back", () => {
  const live = { ...RUN, step: 9, stream_cursor: 20, status: "stopping" };
  const late = { ...RUN, name: "renamed", step: 3, stream_cursor: 15, queue_position: null };
  const merged = mergeSnapshot(live, late);
  assert.deepEqual([merged.step, merged.status, merged.name, merged.stream_cursor], [9, "stopping", "renamed", 20]);
  assert.equal(mergeSnapshot(live, { ...late, stream_cursor: 20 }).step, 3);
  assert.equal(mergeSnapshot(null, late), late);
});

test("a run that goes on from a checkpoint stands there, and only a later snapshot knows its losses", () => {
  let run = { ...RUN, step: 40, eta_s: 60, loss: 9, validation_loss: 8, best_validation_loss: 2, sparkline: [4, 3, 2, 1] };
  run = applyEvent(run, event({ type: "status", cursor: 50, phase: "training", resumed_step: 20 }));
  assert.deepEqual([run.step, run.resumed_step, run.eta_s, run.sparkline], [20, 20, null, [4, 3]]);
  assert.deepEqual([run.loss, run.validation_loss, run.best_validation_loss], [undefined, undefined, undefined]);
  run = applyEvent(run, step(21, 60));
  const old = mergeSnapshot(run, { ...RUN, best_validation_loss: 2, validation_loss: 8, stream_cursor: 49 });
  assert.deepEqual([old.best_validation_loss, old.step], [undefined, 21], "asked for before the worker said so");
  const fresh = mergeSnapshot(old, { ...RUN, loss: 5, best_validation_loss: 3, validation_loss: 3.5, stream_cursor: 55 });
  assert.deepEqual([fresh.best_validation_loss, fresh.validation_loss, fresh.loss], [3, 3.5, run.loss]);
});

test("a pause is no part of the pace", () => {
  const paused = applyEvent({ ...RUN, step: 50, eta_s: 50 }, event({ type: "status", phase: "paused" }));
  assert.equal(paused.eta_s, null);
  assert.equal(applyEvent(paused, step(51, 12)).eta_s, 49 * 0.2);
});

test("progress and ends", () => {
  assert.equal(progress({ ...RUN, total_steps: null }), null);
  assert.equal(progress({ ...RUN, step: 25 }), 0.25);
  assert.ok(hasEnded("interrupted") && !hasEnded("stopping"));
});

test("findings follow the events, and are unknown once a run goes on from a checkpoint until a snapshot tells them", () => {
  const finding = event({ type: "finding", rule: "flat", level: "warning", title: "Flat", holds: true });
  const found = applyEvent(RUN, finding);
  assert.deepEqual(found.findings, [{ rule: "flat", level: "warning", title: "Flat" }]);
  assert.deepEqual(applyEvent(found, { ...finding, cursor: 12, holds: false }).findings, []);
  assert.deepEqual(mergeSnapshot(found, { ...RUN, findings: [] }).findings, found.findings, "the snapshot is older");
  const back = applyEvent(found, event({ type: "status", cursor: 12, phase: "training", resumed_step: 5 }));
  assert.equal(back.findings, undefined);
  assert.deepEqual(mergeSnapshot(back, { ...RUN, stream_cursor: 12, findings: [] }).findings, []);
});
