import assert from "node:assert/strict";
import test from "node:test";
import { appendEvents, emptySeries } from "../../../frontend/js/charts/series.js";
import { storyOf } from "../../../frontend/js/stores/story.js";

const RUNNING = /** @type {any} */ ({ status: "running", started_at: "2025-01-01T00:00:00Z", ended_at: null });
const COMPLETED = { ...RUNNING, status: "completed", ended_at: "2025-01-01T00:00:48Z" };

/** @param {(step: number) => number} loss @param {Record<number, number>} checks validation loss by step */
function curve(loss, checks = {}, steps = 90) {
  /** @type {any[]} */
  const events = [];
  const add = (/** @type {any} */ event) => events.push({ run: "r", time: "t", cursor: events.length + 1, ...event });
  for (let step = 0; step <= steps; step += 1) {
    if (step) add({ type: "step", step, loss: loss(step), lr: 1 });
    if (step in checks) add({ type: "evaluation", step, loss: checks[step] });
  }
  return appendEvents(emptySeries(), events);
}

test("a finished run says what validation loss did, and in what time", () => {
  const story = storyOf(COMPLETED, curve((n) => 6 - n / 20, { 0: 6.9, 45: 3, 90: 1.4 }));
  assert.deepEqual(story, { tone: "good", text: "Validation loss fell from 6.900 to 1.400 in 48 s. Lower is better." });
  const again = storyOf({ ...COMPLETED, resumed_step: 40 }, curve((n) => 6 - n / 20, { 0: 6.9, 90: 1.4 }));
  assert.doesNotMatch(String(again?.text), / in /, "48 s are those of its latest worker alone");
});

test("a run that got worse or stayed is not praised", () => {
  assert.equal(storyOf(COMPLETED, curve(() => 3, { 0: 3, 90: 3.5 }))?.tone, "warning");
  assert.match(String(storyOf(COMPLETED, curve(() => 3, { 0: 3, 90: 3.01 }))?.text), /stayed/);
});

test("without validation the training loss is named as such", () => {
  assert.match(String(storyOf(COMPLETED, curve((n) => 6 - n / 20))?.text), /^Training loss fell/);
});

test("down, up and flat are told apart while the run goes on", () => {
  assert.match(String(storyOf(RUNNING, curve((n) => 6 - n / 20))?.text), /going down/);
  assert.match(String(storyOf(RUNNING, curve((n) => 2 + n / 20))?.text), /going up/);
  assert.match(String(storyOf(RUNNING, curve((n) => 3 + 0.01 * (n % 2)))?.text), /hardly moved/);
});

test("a few steps are no trend", () => {
  assert.equal(storyOf(RUNNING, curve((n) => 6 - n, {}, 5)), null);
  assert.equal(storyOf(RUNNING, emptySeries()), null);
});

test("validation up while training goes down is memorising", () => {
  const checks = { 0: 6, 30: 2, 60: 2.3, 90: 2.6 };
  const story = storyOf(RUNNING, curve((n) => 6 - n / 30, checks));
  assert.equal(story?.tone, "warning");
  assert.match(String(story?.text), /Since step 30 .*2\.000 to 2\.600.*memorise/);
  assert.doesNotMatch(String(storyOf(RUNNING, curve((n) => 3 + n / 100, checks))?.text), /memorise/, "both rise: another trouble");
});

test("a wide gap between seen and unseen examples is memorising too, measured at the same moment", () => {
  const falling = curve((n) => (n <= 60 ? 2 : 0.5), { 0: 6, 60: 2 });
  assert.doesNotMatch(String(storyOf(RUNNING, falling)?.text), /memorise/, "training went on since the check");
  const gap = storyOf(COMPLETED, curve(() => 0.5, { 0: 6, 45: 1.7, 90: 1.6 }));
  assert.equal(gap?.tone, "warning");
  assert.match(String(gap?.text), /fell from 6\.000 to 1\.600.*0\.500 .*1\.600 on unseen/);
});
