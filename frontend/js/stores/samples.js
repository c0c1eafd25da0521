/**
 * What the model wrote over time, in order. Pure.
 *
 * @import { Sample } from "../types.js"
 */

/** @param {Sample[]} samples @returns {number[]} steps at which it wrote, rising, each once */
export function sampledSteps(samples) {
  return [...new Set(samples.map(({ step }) => step))].sort((a, b) => a - b);
}

/** @param {Sample[]} samples @returns {string[]} the prompts in the order in which they came, each once */
export function promptsOf(samples) {
  return [...new Set(samples.map(({ prompt }) => prompt))];
}

/**
 * @param {number[]} steps rising
 * @param {number | null} wanted null is the newest
 * @returns {number} the place of the last that is not later; of the first if all are
 */
export function placeOf(steps, wanted) {
  if (wanted === null) return steps.length - 1;
  return Math.max(0, steps.findLastIndex((step) => step <= wanted));
}

/**
 * @param {Sample[]} samples
 * @param {string} prompt
 * @param {number} step
 * @returns {Sample | null} what it wrote then, or the last time before
 */
export function sampleAt(samples, prompt, step) {
  let found = null;
  for (const sample of samples) {
    if (sample.prompt === prompt && sample.step <= step && (!found || sample.step >= found.step)) found = sample;
  }
  return found;
}
