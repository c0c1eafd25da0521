/**
 * Bars of a histogram of lengths, as shares of its box. Pure.
 *
 * @typedef {{ start: number, end: number, count: number }} Bin
 * @typedef {Bin & { left: number, width: number, height: number, beyond: boolean }} Bar shares from 0 to 1
 */
import * as format from "../format.js";

/**
 * @param {Bin[]} bins ascending, without gaps
 * @param {number} limit tokens; examples longer than this are cut
 * @returns {{ bars: Bar[], mark: number | null, from: number, to: number }} mark: where the limit lies; null beyond the box
 */
export function barsOf(bins, limit) {
  const from = bins[0]?.start ?? 0;
  const to = bins.at(-1)?.end ?? 1;
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const place = (/** @type {number} */ tokens) => (tokens - from) / (to - from);
  const bars = bins.map((bin) => ({
    ...bin,
    left: place(bin.start),
    width: place(bin.end) - place(bin.start),
    height: bin.count / most,
    beyond: bin.start > limit,
  }));
  // An example of just the limit is not cut, so the line is drawn behind it.
  const mark = place(limit + 1);
  return { bars, mark: mark >= 0 && mark <= 1 ? mark : null, from, to };
}

/** @param {Bin} bin @returns {string} such as "12 to 23 tokens: 40 examples" */
export function barLabel({ start, end, count }) {
  const range = end - start === 1 ? format.count(start) : `${format.count(start)} to ${format.count(end - 1)}`;
  return `${range} tokens: ${format.count(count)} example${count === 1 ? "" : "s"}`;
}
