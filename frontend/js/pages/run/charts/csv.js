/**
 * The numbers that a chart shows. Pure.
 *
 * @import { Series } from "../../../charts/series.js"
 * @import { Figure } from "./figures.js"
 */

/**
 * @param {Pick<Figure, "lines">} figure
 * @param {Series} series
 * @param {number[]} xs where its rows are on x
 * @param {{ start: number, end: number }} window of x
 * @returns {string} a line per row in sight that has a value: step, then mean, lowest and highest of each line; NaN where it was
 */
export function csvOf({ lines }, { x, bands }, xs, { start, end }) {
  const head = ["step", ...lines.flatMap(({ key }) => [key, `${key}_min`, `${key}_max`])];
  const rows = x.map((step, i) => [
    step,
    ...lines.flatMap(({ key }) => [bands[key].mean[i], bands[key].min[i], bands[key].max[i]]),
  ]);
  const seen = rows.filter((row, i) => xs[i] >= start && xs[i] <= end && row.slice(1).some((value) => value !== undefined));
  const text = (/** @type {number | null | undefined} */ value) => (value === null ? "NaN" : (value ?? ""));
  return [head, ...seen.map((row) => row.map(text))].map((row) => `${row.join(",")}\n`).join("");
}
