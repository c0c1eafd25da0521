/**
 * The models that a run has saved, as the playground asks them. Pure.
 *
 * @import { Checkpoint, Run } from "../../types.js"
 */

/** Models that know nothing before a run trains them. */
const BUILT_IN = ["tiny", "mini"];

/**
 * @param {Pick<Run, "config">} run
 * @param {Checkpoint[]} checkpoints
 * @returns {{ models: [string, string], other: string } | null} the run's latest model and the other, and what that is called
 */
export function comparisonFor({ config }, checkpoints) {
  const saved = modelsByStep(checkpoints);
  const [first, latest] = [saved[0], saved[saved.length - 1]];
  if (!latest) return null;
  const base = String(config.model_name);
  if (!BUILT_IN.includes(base) && !config.from_scratch) return { models: [latest.model, base], other: "its base" };
  return first === latest ? null : { models: [latest.model, first.model], other: "its first checkpoint" };
}

/**
 * @param {Checkpoint[]} checkpoints
 * @returns {(Checkpoint & { model: string })[]} those that can be asked, by step; of several at one step the final model
 */
export function modelsByStep(checkpoints) {
  /** @type {Map<number, any>} */
  const byStep = new Map();
  for (const each of checkpoints) if (each.model && byStep.get(each.step)?.kind !== "final") byStep.set(each.step, each);
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}
