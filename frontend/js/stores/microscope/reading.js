/**
 * What the numbers of a training step say. Pure.
 *
 * @import { LookedAtToken, MicroscopeStep } from "../../types.js"
 */
import { chance } from "../evaluate/heat.js";

/** Shares of the largest gradient from which up a token is of the next level. */
const SHARES = [0.05, 0.2, 0.4, 0.7];

/** Changes of a probability, in points, from which up a token is of the next level. */
const CHANGES = [0.0005, 0.01, 0.1];

/** @param {number | null} value @param {number} largest @returns {number} 0 to 4 */
export const shareLevel = (value, largest) => (value === null || !largest ? 0 : SHARES.filter((least) => value / largest >= least).length);

/** @param {LookedAtToken} token @returns {number | null} by how much the update changed its probability */
export const change = ({ probability, probability_after: after }) => (probability === null || after === null ? null : after - probability);

/** @param {LookedAtToken} token @returns {string | undefined} likelier ("first") or unlikelier ("second") and how much, as the styles name it */
export function changeMark(token) {
  const by = change(token);
  const level = by === null ? 0 : CHANGES.filter((least) => Math.abs(by) >= least).length;
  return by === null || level === 0 ? undefined : `${by > 0 ? "first" : "second"}-${level}`;
}

/** @param {number | null} probability @returns {string} */
export const chanceOf = (probability) => (probability === null ? "unknown" : chance(-Math.log(probability)));

/** @param {number | null} value @returns {string} with the digits that tell two apart, as 0.0123 or 1.2e-5 */
export function small(value) {
  if (value === null) return "not finite";
  if (value === 0) return "0";
  return Math.abs(value) >= 0.001 && Math.abs(value) < 10_000 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** @param {MicroscopeStep} step @returns {string} what clipping did */
export function clipping({ grad_norm: norm, grad_norm_clipped: clipped, max_grad_norm: most }) {
  if (norm === null || clipped === null) return "The gradient is not a finite number, so no update can be made.";
  if (norm <= most) return `All together the gradient has length ${small(norm)}. The limit is ${small(most)}, so it stays as it is.`;
  return `All together the gradient has length ${small(norm)}. The limit is ${small(most)}, so it is scaled down to ${small(clipped)}.`;
}

/** @param {MicroscopeStep} step @returns {string} what the update did to the loss */
export function effect({ loss, loss_after: after }) {
  if (loss === null || after === null) return "The loss is not a finite number.";
  const by = after - loss;
  if (Math.abs(by) < 5e-5) return `The loss on this row stays at ${loss.toFixed(4)} nats: at this learning rate one step changes next to nothing.`;
  const how = by < 0 ? "falls" : "rises";
  return `The loss on this row ${how} from ${loss.toFixed(4)} to ${after.toFixed(4)} nats, by ${small(Math.abs(by))}.`;
}

/** @param {MicroscopeStep} step @returns {string[]} where what is looked at is less than the row, or other than people expect */
export function limits({ cut, most_tokens: most, windows, side, row }) {
  const told = [];
  if (cut > 0) told.push(`The row is longer: ${cut} tokens after the first ${most} are left out.`);
  if (windows > 1) told.push(`Training reads this row in ${windows} windows of at most ${most} tokens; this is the first.`);
  if (side === "validation") told.push(`Row ${row} is kept aside for validation: the run itself never learns from it.`);
  return told;
}

/** @param {number[]} weights of one token on those before it @param {number} most @returns {[place: number, weight: number][]} the largest */
export const strongest = (weights, most) =>
  weights
    .map((weight, place) => /** @type {[number, number]} */ ([place, weight]))
    .sort((a, b) => b[1] - a[1])
    .slice(0, most);
