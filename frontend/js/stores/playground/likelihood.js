/** How likely tokens were, as they are shown. Pure. @import { GeneratedToken } from "../../types.js" */

/** Levels from likely to unlikely: the least probability of each, and what it is called. @type {[least: number, name: string][]} */
export const LEVELS = [
  [0.5, "over 50%"],
  [0.2, "20 to 50%"],
  [0.05, "5 to 20%"],
  [0, "under 5%"],
];

/** @param {number | null | undefined} logprob nats @returns {number | null} which level; null where nothing is known */
export function levelOf(logprob) {
  if (logprob === null || logprob === undefined) return null;
  return LEVELS.findIndex(([least]) => Math.exp(logprob) >= least);
}

/** @param {number | null | undefined} logprob nats @returns {string} a percentage of two digits */
export function percentOf(logprob) {
  if (logprob === null || logprob === undefined) return "–";
  const percent = 100 * Math.exp(logprob);
  if (percent < 0.01) return "under 0.01%";
  return `${Number(percent.toPrecision(percent >= 99 ? 3 : 2))}%`;
}

/** @param {GeneratedToken} token @returns {{ token: string, logprob: number }[]} what could have stood there, the likeliest first */
export function alternativesOf({ token, top_logprobs: top }) {
  return (top ?? []).filter((each) => each.token !== token);
}

/** @param {GeneratedToken} token @returns {number} its rank among the likeliest, from 1; 0 if it is none of them */
export function rankOf({ token, top_logprobs: top }) {
  return (top ?? []).findIndex((each) => each.token === token) + 1;
}

/** @param {GeneratedToken[]} tokens @returns {number | null} their mean log-probability: minus the logarithm of the perplexity */
export function meanOf(tokens) {
  const logprobs = tokens.map(({ logprob }) => logprob).filter((each) => each !== null && each !== undefined);
  return logprobs.length ? logprobs.reduce((sum, each) => sum + each, 0) / logprobs.length : null;
}
