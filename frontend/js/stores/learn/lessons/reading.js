/**
 * How lessons are set up and read alike. Pure.
 *
 * @import { Config } from "../../../types.js"
 * @import { Points } from "../lessons.js"
 */
/** Losses nearer to each other than this share are called the same. */
export const CLOSE = 0.03;

/** @param {Points} points */
export const last = (points) => points[points.length - 1][1];

/** @param {number} first @param {number} second losses @returns {"first" | "second" | "same"} the lower one */
export function lower(first, second) {
  if (Math.abs(first - second) < CLOSE * Math.min(first, second)) return "same";
  return first < second ? "first" : "second";
}

/** Sixteen short examples an update, all at once, evaluated on other errands ten times. */
export const USUAL = /** @type {Config} */ ({
  model_name: "tiny",
  dataset: "lesson:errands",
  validation_dataset: "lesson:errands-unseen",
  batch_size: 16,
  gradient_accumulation_steps: 1,
  max_length: 64,
  num_epochs: 1000,
  sample_prompts: ["On Monday"],
  save_steps: 10_000,
});
