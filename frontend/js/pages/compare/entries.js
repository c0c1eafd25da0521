/**
 * What a comparison's chart and legend list: runs, or groups of runs that repeat each other with other seeds. Pure.
 *
 * @import { Item } from "../../charts/overlay-draw.js"
 * @import { Line } from "../../charts/overlay-lines.js"
 * @import { Comparison } from "../../types.js"
 *
 * @typedef {object} Entry
 * @property {string} key
 * @property {string} name
 * @property {string[]} runs more than one if it is a group
 * @property {boolean} live whether one of its runs goes on
 * @property {number} look which colour and dash
 */
import { bandOf } from "../../charts/overlay-lines.js";
import { hasEnded } from "../../stores/run-state.js";
import { smooth } from "../../charts/series.js";

const SMOOTHING = 0.8;

/** @param {Comparison} comparison @param {boolean} bands @returns {Entry[]} in the order of the runs, each with a look of its own */
export function entriesOf({ runs, groups }, bands) {
  const grouped = bands ? groups : [];
  /** @type {Entry[]} */
  const entries = [];
  runs.forEach((run, look) => {
    const group = grouped.find((each) => each.runs.includes(run.id));
    const name = group ? `${run.name} and ${group.runs.length - 1} more ${group.runs.length === 2 ? "seed" : "seeds"}` : run.name;
    const members = group?.runs ?? [run.id];
    if (members[0] !== run.id) return; // its group stands where its first run does
    const live = runs.some((each) => members.includes(each.id) && !hasEnded(each.status));
    entries.push({ key: run.id, name, runs: members, live, look });
  });
  return entries;
}

/** @param {Entry} entry @param {ReadonlyMap<string, Line>} lines @param {boolean} smoothed @returns {Item} */
export function itemOf({ key, runs, look }, lines, smoothed) {
  const known = runs.flatMap((run) => {
    const line = lines.get(run);
    if (!line) return [];
    return [{ x: line.x, y: smoothed ? /** @type {(number | null)[]} */ (smooth(line.y, SMOOTHING)) : line.y }];
  });
  if (runs.length > 1) return { key, look, ...bandOf(known) };
  return { key, look, ...(known[0] ?? { x: [], y: [] }) };
}
