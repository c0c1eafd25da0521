/**
 * What happened inside a run, as its pictures and sentences need it. Pure.
 *
 * @import { Layers, OddRow, OddRows, TimeSpent, Values } from "../types.js"
 *
 * @typedef {"grad_norm" | "update_ratio"} Quantity
 *
 * @typedef {object} HeatMap
 * @property {string[]} parts from top to bottom: the head first, as the signal comes in at the embeddings and goes up
 * @property {number[]} x first step of each column
 * @property {Values[]} values of each part, per column: the mean
 * @property {Values[]} highest
 * @property {number} low the range that colours stand for: both above 0, and low below high
 * @property {number} high
 */
import * as format from "../format.js";

/** @type {Record<Quantity, string>} */
export const QUANTITIES = { grad_norm: "Gradient norm", update_ratio: "Update ratio" };

/** @type {Record<Quantity, string>} */
export const MEANINGS = {
  grad_norm:
    "How strongly the loss pulls at each part, before clipping. A part that stays far fainter than the rest hardly learns;"
    + " a column that stands out is an update that pulled at all of them.",
  update_ratio:
    "How far an update moves each part, as a share of its weights (update-to-weight ratio). About 0.001 is usual; 0.01 and more is a lot,"
    + " 0.00001 next to nothing.",
};

/** @param {Layers} layers @param {Quantity} quantity @returns {HeatMap | null} null: there is nothing to draw */
export function heatMapOf(layers, quantity) {
  const bands = [...layers[quantity]].reverse();
  const values = bands.map((band) => band.mean);
  const known = values.flat().filter((value) => value !== null && value > 0).map(Number);
  if (known.length === 0) return null;
  const low = known.reduce((one, other) => Math.min(one, other));
  const high = known.reduce((one, other) => Math.max(one, other));
  return {
    parts: [...layers.parts].reverse(),
    x: layers.x,
    values,
    highest: bands.map((band) => band.max),
    low,
    high: high > low ? high : 2 * low,
  };
}

/**
 * @param {Pick<HeatMap, "low" | "high">} map
 * @param {number | null} value
 * @returns {number | null} from 0 to 1, even in the logarithm, as parts differ by orders of magnitude; null where there is none
 */
export function shadeOf({ low, high }, value) {
  if (value === null) return null;
  if (value <= 0) return 0;
  return Math.min(1, Math.max(0, Math.log(value / low) / Math.log(high / low)));
}

/** @param {Pick<HeatMap, "low" | "high">} map @param {number} count @returns {number[]} values evenly over the colours */
export const ticksOf = ({ low, high }, count) =>
  Array.from({ length: count }, (_, place) => low * (high / low) ** (place / (count - 1)));

/**
 * @param {HeatMap} map
 * @param {number} row
 * @param {number} column
 * @returns {string} what a cell says
 */
export function cellText(map, row, column) {
  const [first, next] = [map.x[column], map.x[column + 1]];
  const steps = next !== undefined && next - first > 1 ? `steps ${format.count(first)} to ${format.count(next - 1)}` : `step ${format.count(first)}`;
  const [mean, most] = [map.values[row][column], map.highest[row][column]];
  if (mean === null) return `${map.parts[row]}, ${steps}: not measured`;
  const peak = most !== null && most > mean * 1.005 ? `, at most ${format.number(most)}` : "";
  return `${map.parts[row]}, ${steps}: ${format.number(mean)}${peak}`;
}

/** @param {number} columns @param {number} most @returns {number[]} up to so many columns, evenly, the last one included */
export function columnsShown(columns, most) {
  if (columns <= most) return Array.from({ length: columns }, (_, place) => place);
  return Array.from({ length: most }, (_, place) => Math.round((place * (columns - 1)) / (most - 1)));
}

/** @param {TimeSpent} spent @returns {TimeSpent["shares"]} those that took any time worth a name, in the order in which it passes */
export const sharesShown = (spent) => spent.shares.filter(({ share }) => share >= 0.0005);

/** @param {OddRows[]} items @param {OddRows["cause"]} cause @returns {OddRows[]} the latest first */
export const rowsOfCause = (items, cause) => items.filter((each) => each.cause === cause).reverse();

/** @param {OddRow} row @returns {boolean} whether a fork can do without it: it is of the run's own dataset */
export const canBeLeftOut = ({ dataset }) => dataset === null || dataset === undefined;

/** @param {number[]} before rows that the run leaves out already @param {Iterable<number>} chosen @returns {number[]} */
export const withoutRows = (before, chosen) => [...new Set([...before, ...chosen])].sort((a, b) => a - b);
