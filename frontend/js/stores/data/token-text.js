/**
 * Tokens as they are shown. Pure.
 *
 * @import { Token, TokenState } from "../../types.js"
 */

/** What a state is called, and what it means. @type {Record<TokenState, [name: string, meaning: string]>} */
export const STATES = {
  trained: ["learned", "The model learns to predict it."],
  masked: ["only read", "The model reads it and does not learn to write it."],
  truncated: ["cut off", "It is beyond the max length: the model never sees it."],
  padding: ["padding", "It only fills the row up."],
};

/** @type {Record<string, string>} */
const SIGNS = { " ": "·", "\u00A0": "⍽", "\n": "⏎", "\r": "␍", "\t": "⇥", "": "∅" };

/** @param {string} text @returns {string} with a sign for what cannot be seen */
export function visible(text) {
  if (text === "") return SIGNS[""];
  return text.replace(/[\p{Cc}\p{Cf}\p{Zs}\u2028\u2029]/gu, (character) => SIGNS[character] ?? controlSign(character));
}

/** A picture for a control character; the others stay, for they shape emoji and words. @param {string} character */
function controlSign(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  return code < 0x20 ? String.fromCodePoint(0x2400 + code) : character;
}

/** @param {string} text of a token @returns {string} what to know of it beside its text */
export function noteOf(text) {
  if (text === "") return "nothing visible";
  return /^\uFFFD+$/.test(text) ? "part of a character" : "";
}

/** @param {Pick<Token, "text">[]} tokens @returns {"ltr" | "rtl"} which way a row runs: that of its first letter */
export function directionOf(tokens) {
  for (const { text } of tokens) {
    const letter = text.match(/\p{L}/u)?.[0];
    if (letter) return /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFF]/.test(letter) ? "rtl" : "ltr";
  }
  return "ltr";
}

/**
 * @param {{ [state in TokenState]?: number }} counts
 * @returns {[state: TokenState, count: number][]} those that occur, in the order of STATES
 */
export function occurring(counts) {
  const states = /** @type {TokenState[]} */ (Object.keys(STATES));
  return states.flatMap((state) => (counts[state] ? [/** @type {[TokenState, number]} */ ([state, counts[state]])] : []));
}
