/**
 * Answers judged against each other. Pure.
 *
 * @import { NewVote } from "../../types.js"
 *
 * @typedef {{ model: string, text: string }} Rated
 * @typedef {{ kind: "better", model: string } | { kind: "equal" } | { kind: "both_bad" }} Verdict
 */

/**
 * @param {Rated[]} answers two or more
 * @param {Verdict} verdict one is better than each of the others, or all are alike
 * @param {Pick<NewVote, "prompt" | "messages" | "blind" | "settings">} about what all were asked, and how
 * @returns {NewVote[]} one for each pair that the verdict says something of
 */
export function votesOf(answers, verdict, about) {
  if (verdict.kind !== "better") {
    const pairs = answers.flatMap((chosen, i) => answers.slice(i + 1).map((rejected) => ({ chosen, rejected })));
    return pairs.map((pair) => ({ ...about, ...pair, verdict: verdict.kind }));
  }
  const chosen = /** @type {Rated} */ (answers.find(({ model }) => model === verdict.model));
  // Of two that say the same neither is better.
  const others = answers.filter(({ text }) => text !== chosen.text);
  return others.map((rejected) => ({ ...about, chosen, rejected, verdict: "better" }));
}

/** @param {number} place @returns {string} what an answer is called while its model's name is hidden */
export const letterOf = (place) => `Answer ${String.fromCharCode(65 + place)}`;

/**
 * @template T
 * @param {T[]} items
 * @param {() => number} [random] 0 to below 1
 * @returns {T[]} in an order that is any with the same chance
 */
export function shuffled(items, random = Math.random) {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0]);
}
