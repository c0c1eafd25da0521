/**
 * A family of runs as a tree. Pure.
 *
 * @import { Relative } from "../types.js"
 *
 * @typedef {Relative & { children: Branch[] }} Branch
 */

/** @param {Relative[]} items each after the one that it was forked from @returns {Branch | null} from the eldest on */
export function treeOf(items) {
  const branches = new Map(items.map((item) => [item.id, /** @type {Branch} */ ({ ...item, children: [] })]));
  for (const branch of branches.values()) branches.get(branch.origin?.run ?? "")?.children.push(branch);
  return items.length ? (branches.get(items[0].id) ?? null) : null;
}
