/**
 * A scored text as cells of a heat map, of one model or of two against each other. Pure.
 *
 * @import { ScoredToken } from "../../types.js"
 *
 * @typedef {object} Cell
 * @property {string} text
 * @property {number | null} nats loss; null where nothing was scored
 * @property {number} level 0 to 4, the more surprising the higher
 * @property {ScoredToken[]} tokens one, or several that make up a character together
 *
 * @typedef {object} Contrast
 * @property {string} text
 * @property {number | null} less nats by which the first model's loss is below the second's; null where one has none
 * @property {number} level 0 to 3
 * @property {[first: number | null, second: number | null]} nats
 */

import { visible } from "../data/token-text.js";

/** From these chances down a token is of the next level. */
export const CHANCES = [0.5, 0.1, 0.01, 0.001];

/** From these differences up, in nats, a piece is of the next level. */
export const DIFFERENCES = [0.1, 1, 3];

/** @param {ScoredToken[]} tokens @returns {Cell[]} */
export function cellsOf(tokens) {
  /** @type {Cell[]} */
  const cells = [];
  /** @type {ScoredToken[]} */
  let open = [];
  for (const token of tokens) {
    open.push(token);
    if (token.text === "") continue; // the rest of its character is still to come
    cells.push(cellOf(open));
    open = [];
  }
  if (open.length > 0) cells.push(cellOf(open));
  return cells;
}

/** @param {ScoredToken[]} tokens @returns {Cell} */
function cellOf(tokens) {
  const text = tokens.map((token) => token.text).join("");
  const nats = tokens.some((token) => token.nats === null) ? null : tokens.reduce((sum, { nats }) => sum + Number(nats), 0);
  return { text, nats, level: levelOf(nats), tokens };
}

/** @param {number | null} nats @returns {number} 0 to 4, the more surprising the higher */
export const levelOf = (nats) => (nats === null ? 0 : CHANCES.filter((chance) => Math.exp(-nats) < chance).length);

/**
 * Two models on the same text, in the smallest pieces at whose ends both have the end of a token.
 *
 * @param {Cell[]} first
 * @param {Cell[]} second
 * @returns {Contrast[] | null} null if they do not spell the same text
 */
export function contrast(first, second) {
  const [a, b] = [spelled(first), spelled(second)];
  if (a.map((cell) => cell.text).join("") !== b.map((cell) => cell.text).join("")) return null;
  /** @type {Contrast[]} */
  const pieces = [];
  let [i, j] = [0, 0];
  while (i < a.length) {
    const piece = { text: a[i].text, nats: /** @type {[number | null, number | null]} */ ([a[i].nats, b[j].nats]) };
    let ahead = a[i].text.length - b[j].text.length;
    i += 1;
    j += 1;
    while (ahead !== 0) {
      if (ahead < 0) {
        piece.text += a[i].text;
        piece.nats[0] = plus(piece.nats[0], a[i].nats);
        ahead += a[i].text.length;
        i += 1;
      } else {
        piece.nats[1] = plus(piece.nats[1], b[j].nats);
        ahead -= b[j].text.length;
        j += 1;
      }
    }
    const less = piece.nats[0] === null || piece.nats[1] === null ? null : piece.nats[1] - piece.nats[0];
    const level = less === null ? 0 : DIFFERENCES.filter((least) => Math.abs(less) >= least).length;
    pieces.push({ ...piece, less, level });
  }
  return pieces;
}

/** Without what stands for no text, such as a mark of the beginning. @param {Cell[]} cells */
const spelled = (cells) => cells.filter((cell) => cell.text !== "" && cell.tokens.some((token) => token.bytes > 0));

/** @param {number | null} a @param {number | null} b */
const plus = (a, b) => (a === null || b === null ? null : a + b);

/** @param {number} nats @returns {string} the chance that the model gave a token */
export function chance(nats) {
  const percent = 100 * Math.exp(-nats);
  if (percent >= 99.95) return "over 99.9%";
  if (percent >= 10) return `${percent.toFixed(0)}%`;
  if (percent >= 0.01) return `${Number(percent.toPrecision(2))}%`;
  return "under 0.01%";
}

/**
 * @param {{ name: string, scores: { bits_per_byte: number | null } }[]} models one or two
 * @returns {string} which one finds the text likelier, and by how much
 */
export function verdict(models) {
  const known = models.filter(({ scores }) => scores.bits_per_byte !== null);
  if (known.length < models.length) return "The text is too short to be scored.";
  const [best, other] = [...known].sort((a, b) => bits(a) - bits(b));
  if (!other) return `${best.name} needs ${bits(best).toFixed(3)} bits for each byte of this text. Any text at all takes 8.`;
  const saved = 100 * (1 - bits(best) / bits(other));
  const numbers = `${bits(best).toFixed(3)} bits per byte against ${bits(other).toFixed(3)}`;
  if (!(saved >= 0.05)) return `Both find the text equally likely: ${numbers}.`;
  return `${best.name} finds the text likelier: ${numbers}, which is ${saved.toFixed(saved < 10 ? 1 : 0)}% less.`;
}

/** @param {{ scores: { bits_per_byte: number | null } }} model */
const bits = ({ scores }) => /** @type {number} */ (scores.bits_per_byte);

/** As it stands in its text: blanks stay blanks, and only what else cannot be seen gets a sign. @param {string} text */
export const inText = (text) => text.replace(/[^ ]+/g, visible);
