import assert from "node:assert/strict";
import test from "node:test";
import { comparisonOf, differenceOf, factsOf, fittingBatch, forecastOf, memoryOf, stepTime } from "../../../frontend/js/stores/preflight.js";

const GB = 1e9;
const formula = { peak_memory_bytes: 2 * GB, step_seconds: 0.1, tokens_per_s: 1000, evaluation_seconds: 0, total_seconds: 60 };
const PREFLIGHT = {
  ...{ device: "cpu", precision: "fp32", exact: true, train_examples: 900, validation_examples: 100 },
  ...{ tokens_per_epoch: 45_000, steps_per_epoch: 57, total_steps: 171, parameters: 1000, trained_parameters: 1000 },
  memory_parts: [{ id: "weights", label: "Weights", bytes: 0.5 * GB }, { id: "rest", label: "Rest", bytes: 1.5 * GB }],
  ...{ formula, measured: null, memory_available_bytes: 8 * GB, disk_bytes: 10 * GB, disk_free_bytes: 20 * GB },
  ...{ fits: true, largest_batch_size: 16, largest_accumulation: 1, problems: [] },
};

test("facts carry their units, and estimates say that they are", () => {
  const facts = (/** @type {any} */ change) =>
    Object.fromEntries(factsOf({ ...PREFLIGHT, ...change }).map(([label, value, note]) => [label, `${value}, ${note}`]));
  assert.deepEqual(facts({}), {
    Examples: "900, and 100 for validation",
    "Tokens per epoch": "45K, ",
    Updates: "171, 57 per epoch",
    Weights: "1K, all trained",
    Disk: "10 GB, 20 GB free",
  });
  assert.equal(facts({ exact: false })["Tokens per epoch"], "about 45K, ");
  assert.equal(facts({ trained_parameters: 10 }).Weights, "1K, 10 trained");
});

test("the memory bar is as wide as what there is, or as what is needed if that is more", () => {
  const { segments, limit } = memoryOf(PREFLIGHT);
  assert.deepEqual([segments.map(({ share }) => share), limit], [[0.0625, 0.1875], 1]);
  const tight = memoryOf({ ...PREFLIGHT, memory_available_bytes: GB });
  assert.deepEqual([tight.segments.map(({ share }) => share), tight.limit], [[0.25, 0.75], 0.5]);
});

test("what was measured goes before the formula", () => {
  const measured = { ...formula, peak_memory_bytes: 4 * GB };
  assert.equal(forecastOf({ ...PREFLIGHT, measured }), measured);
  const { needed, segments } = memoryOf({ ...PREFLIGHT, measured });
  assert.equal(needed, 4 * GB);
  assert.deepEqual(segments.map(({ share }) => share), [0.125, 0.375]);
});

test("a batch is proposed only where it helps", () => {
  assert.equal(fittingBatch(PREFLIGHT, 64), null);
  const tight = { ...PREFLIGHT, fits: false };
  assert.deepEqual(fittingBatch(tight, 64), { batch_size: 16, gradient_accumulation_steps: 1 });
  assert.equal(fittingBatch(tight, 16), null);
  assert.equal(fittingBatch({ ...tight, largest_batch_size: null, largest_accumulation: null }, 64), null);
});

test("times of an update fit their size", () => {
  assert.deepEqual([0.0042, 0.0999, 1.5, 12.34].map(stepTime), ["4.2 ms", "100 ms", "1,500 ms", "12.3 s"]);
});

test("a run is compared with the better prediction", () => {
  const run = { predicted: PREFLIGHT, peak_memory_bytes: 1.5 * GB, step_seconds: 0.1, step: 100, status: "completed", resumed_step: null };
  assert.deepEqual(comparisonOf(run).map((row) => [row.actual, row.difference]), [
    ["1.5 GB", "25% less"], ["100 ms", "as predicted"], ["10 s", "83% less"],
  ]);
  const measured = { ...formula, peak_memory_bytes: GB };
  assert.equal(comparisonOf({ ...run, predicted: { ...PREFLIGHT, measured } })[0].difference, "50% more");
});

test("a run shows only what is known of it", () => {
  const ended = { predicted: PREFLIGHT, peak_memory_bytes: GB, step_seconds: 0.1, step: 50, status: "stopped", resumed_step: null };
  assert.deepEqual(comparisonOf({ ...ended, predicted: null }), []);
  assert.equal(comparisonOf(ended)[2].actual, "");
  assert.equal(comparisonOf({ ...ended, status: "completed", resumed_step: 20 })[2].actual, "");
  const running = { ...ended, status: "running", peak_memory_bytes: null, step_seconds: null };
  assert.deepEqual(comparisonOf(running).map((row) => row.actual), ["", "", ""]);
});

test("differences are whole percents", () => {
  assert.deepEqual([differenceOf(100, 104.4), differenceOf(100, 95.6), differenceOf(100, 100.4)], ["4% more", "4% less", "as predicted"]);
});
