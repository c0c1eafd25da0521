/**
 * What a preflight says, in the form's words, and how a run compares with it. Pure.
 *
 * @import { Config, Forecast, Preflight, Run } from "../types.js"
 */
import * as format from "../format.js";

/** @param {Preflight} preflight @returns {Forecast} the better of the two that it has */
export const forecastOf = ({ measured, formula }) => measured ?? formula;

/** @param {Preflight} preflight @returns {string} "about " where token counts are estimates */
const about = ({ exact }) => (exact ? "" : "about ");

/**
 * @param {Preflight} preflight
 * @returns {[label: string, value: string, note: string, number: string][]} the last is what explains it, in learn/numbers.js
 */
export function factsOf(preflight) {
  const { total_steps: steps, steps_per_epoch: perEpoch, parameters, trained_parameters: trained } = preflight;
  const part = trained === parameters ? "all trained" : `${format.short(trained)} trained`;
  return [
    ["Examples", format.count(preflight.train_examples), heldBack(preflight.validation_examples), "examples"],
    ["Tokens per epoch", `${about(preflight)}${format.short(preflight.tokens_per_epoch)}`, "", "tokens_per_epoch"],
    ["Updates", format.count(steps), `${about(preflight)}${format.count(perEpoch)} per epoch`, "updates"],
    ["Weights", format.short(parameters), part, "weights"],
    ["Disk", format.bytes(preflight.disk_bytes), `${format.bytes(preflight.disk_free_bytes)} free`, "disk"],
  ];
}

/** @param {number} examples */
function heldBack(examples) {
  return examples ? `and ${format.count(examples)} for validation` : "and none for validation";
}

/** @param {number} passes over a dataset in an epoch */
export function passesOf(passes) {
  if (passes === 1) return "all";
  return passes < 1 ? format.percent(100 * passes) : `${format.number(passes)} times all`;
}

/** @param {Forecast} forecast */
export const timeOf = (forecast) => `about ${format.duration(Math.max(1, forecast.total_seconds))}`;

/** @param {number} seconds of one update @returns {string} in milliseconds below ten seconds */
export function stepTime(seconds) {
  if (seconds < 0.0995) return `${format.number(seconds * 1000)} ms`;
  return seconds < 10 ? `${format.count(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/**
 * The memory bar: as wide as what is larger, the need or what there is.
 *
 * @param {Preflight} preflight
 * @returns {{ needed: number, available: number, segments: { label: string, share: number }[], limit: number }} needed and
 *   available in bytes; share and limit (where what is available ends) from 0 to 1
 */
export function memoryOf(preflight) {
  const needed = forecastOf(preflight).peak_memory_bytes;
  const available = preflight.memory_available_bytes;
  const width = Math.max(needed, available, 1);
  // The parts are of the formula; where it was measured they tell the proportions.
  const sum = preflight.memory_parts.reduce((total, part) => total + part.bytes, 0) || 1;
  const segments = preflight.memory_parts.map(({ label, bytes }) => ({ label, share: (bytes / sum) * (needed / width) }));
  return { needed, available, segments, limit: available / width };
}

/** @param {Preflight} preflight */
export const blockersOf = ({ problems }) => problems.filter((problem) => problem.blocking);

/**
 * @param {Preflight} preflight
 * @param {Config[string]} batchSize as it is set
 * @returns {{ batch_size: number, gradient_accumulation_steps: number } | null} what would fit, if that is something else
 */
export function fittingBatch(preflight, batchSize) {
  const { fits, largest_batch_size: size, largest_accumulation: batches } = preflight;
  if (fits || !size || !batches || size === batchSize) return null;
  return { batch_size: size, gradient_accumulation_steps: batches };
}

/**
 * A run beside its prediction.
 *
 * @param {Run} run
 * @returns {{ label: string, formula: string, measured: string, actual: string, difference: string }[]} the difference is
 *   that of the actual from the better prediction; none of a run without one
 */
export function comparisonOf(run) {
  if (!run.predicted) return [];
  const { formula, measured } = run.predicted;
  const better = measured ?? formula;
  /** @type {[label: string, show: (value: number) => string, of: (forecast: Forecast) => number, actual: number | null][]} */
  const rows = [
    ["Memory at most", format.bytes, (forecast) => forecast.peak_memory_bytes, run.peak_memory_bytes],
    ["Time per update", stepTime, (forecast) => forecast.step_seconds, run.step_seconds],
    ["Time of all updates", format.duration, updatesSeconds, trainingSeconds(run)],
  ];
  return rows.map(([label, show, of, actual]) => ({
    label,
    formula: show(of(formula)),
    measured: measured ? show(of(measured)) : "",
    actual: actual === null ? "" : show(actual),
    difference: actual === null ? "" : differenceOf(of(better), actual),
  }));
}

/** @param {Forecast} forecast */
const updatesSeconds = ({ total_seconds: total, evaluation_seconds: evaluations }) => total - evaluations;

/** Of all updates, without evaluation and saving; unknown of a run that did not make all of them in one go. @param {Run} run */
function trainingSeconds({ status, step, step_seconds: seconds, resumed_step: resumed }) {
  return status === "completed" && resumed === null && seconds !== null ? seconds * step : null;
}

/** @param {number} predicted @param {number} actual */
export function differenceOf(predicted, actual) {
  const percent = Math.round((actual / predicted - 1) * 100);
  if (percent === 0) return "as predicted";
  return `${Math.abs(percent)}% ${percent > 0 ? "more" : "less"}`;
}
