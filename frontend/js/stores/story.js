/**
 * What the curves say, in a sentence. Pure, and silent where the numbers do not carry a statement.
 *
 * @import { Run } from "../types.js"
 * @import { Column, Series } from "../charts/series.js"
 */
import * as format from "../format.js";
import { hasEnded } from "./run-state.js";
import { lastNumber } from "../charts/series.js";

/** Fewer points than this are noise. */
const ENOUGH = 30;
/** Relative changes below this are called none. */
const NOTICEABLE = 0.02;
/** Validation loss so many times the training loss of the same moment is a gap worth a word. */
const GAP = 1.5;
const STEPS_AVERAGED = 20;

/**
 * @typedef {{ tone: "good" | "warning" | "plain", text: string }} Story
 *
 * @param {Run} run
 * @param {Series} series
 * @returns {Story | null}
 */
export function storyOf(run, series) {
  const overfitting = turnedUp(series) ?? gap(series);
  if (hasEnded(run.status)) {
    const result = resultOf(run, series);
    if (!result) return null;
    return overfitting ? { tone: "warning", text: `${result.text} ${overfitting}` } : result;
  }
  if (overfitting) return { tone: "warning", text: overfitting };
  return trendOf(series.bands.loss.mean);
}

/** @param {Run} run @param {Series} series @returns {Story | null} */
function resultOf(run, series) {
  const evaluations = numbers(series.bands.validation_loss.mean);
  const [kind, values] = evaluations.length > 1 ? ["Validation loss", evaluations] : ["Training loss", numbers(series.bands.loss.mean)];
  if (values.length < 2) return null;
  const first = values[0];
  const last = values[values.length - 1];
  const time = format.elapsed(run.started_at, run.ended_at, new Date());
  // A run that went on after an end has a start for each of its workers, and nobody knows the sum.
  const taking = time === null || run.resumed_step ? "" : ` in ${format.duration(time)}`;
  const change = (last - first) / first;
  if (Math.abs(change) < NOTICEABLE) {
    return { tone: "plain", text: `${kind} stayed at about ${format.loss(last)}: the model changed little${taking}.` };
  }
  const verb = change < 0 ? "fell" : "rose";
  const text = `${kind} ${verb} from ${format.loss(first)} to ${format.loss(last)}${taking}. Lower is better.`;
  return { tone: change < 0 ? "good" : "warning", text };
}

/** Validation loss has clearly left its lowest point while training loss went on down. @param {Series} series */
function turnedUp(series) {
  const steps = series.x.filter((_, i) => series.bands.validation_loss.mean[i] != null);
  const evaluations = numbers(series.bands.validation_loss.mean);
  const best = evaluations.indexOf(Math.min(...evaluations));
  const last = evaluations.length - 1;
  if (last < 2 || best === last || evaluations[last] < evaluations[best] * (1 + NOTICEABLE)) return null;
  const trainedThen = lastNumber(series.bands.loss.mean, series.x.indexOf(steps[best]) + 1);
  const trainedNow = lastNumber(series.bands.loss.mean);
  if (trainedThen === null || trainedNow === null || trainedNow >= trainedThen) return null;
  return (
    `Since step ${format.count(steps[best])} validation loss has risen from ${format.loss(evaluations[best])} to ` +
    `${format.loss(evaluations[last])} while training loss kept falling: the model has begun to memorise its examples.`
  );
}

/** The model does far better on what it learns from than on what it has not seen. @param {Series} series */
function gap({ bands }) {
  const [trained, validation] = [bands.loss.mean, bands.validation_loss.mean];
  const row = validation.findLastIndex((value) => value != null);
  const latest = numbers(trained.slice(0, row + 1)).slice(-STEPS_AVERAGED);
  if (latest.length < STEPS_AVERAGED) return null;
  const [seen, unseen] = [mean(latest), /** @type {number} */ (validation[row])];
  if (unseen < seen * GAP) return null;
  return (
    `At the last evaluation loss was ${format.loss(seen)} on the examples it learns from but ${format.loss(unseen)} on unseen ` +
    "ones: it has partly memorised its examples. More text helps, and so do fewer epochs."
  );
}

/** Compares the last third of the curve with the third before it. @param {Column} column @returns {Story | null} */
function trendOf(column) {
  const values = numbers(column);
  if (values.length < ENOUGH) return null;
  const third = Math.floor(values.length / 3);
  const latest = mean(values.slice(-third));
  const change = latest / mean(values.slice(-2 * third, -third)) - 1;
  if (change < -NOTICEABLE) return { tone: "good", text: "Loss is going down: the model is learning." };
  if (change > NOTICEABLE) {
    return { tone: "warning", text: "Loss is going up. A smaller learning rate often helps; so does a look at the data." };
  }
  return { tone: "plain", text: `Loss has hardly moved for a while; it stands at about ${format.loss(latest)}.` };
}

/** @param {Column} column @returns {number[]} */
function numbers(column) {
  return /** @type {number[]} */ (column.filter((value) => value != null));
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((a, b) => a + b) / values.length;
}
