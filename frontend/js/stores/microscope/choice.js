/**
 * What the microscope looks at, as its link says it. Pure.
 *
 * @import { Checkpoint, MicroscopeRequest } from "../../types.js"
 *
 * @typedef {"forward" | "loss" | "backward" | "update"} Stage
 *
 * @typedef {object} Choice
 * @property {string} checkpoint empty is the newest
 * @property {number} row of the run's dataset, from 1
 * @property {string | null} text somebody's own, in place of a row
 * @property {number} layer
 * @property {number} head
 * @property {Stage} stage
 *
 * @typedef {object} Stop a place on the slider
 * @property {string} name
 * @property {number} step after which it was saved
 * @property {string} title
 */

/** @type {Stage[]} */
export const STAGES = ["forward", "loss", "backward", "update"];

/** @param {URLSearchParams} query @returns {Choice} what makes no sense is passed over */
export function parseChoice(query) {
  const stage = /** @type {Stage} */ (query.get("stage"));
  return {
    checkpoint: query.get("checkpoint") ?? "",
    row: Math.max(1, whole(query.get("row"), 1)),
    text: query.get("text") || null,
    layer: whole(query.get("layer"), 0),
    head: whole(query.get("head"), 0),
    stage: STAGES.includes(stage) ? stage : "forward",
  };
}

/** @param {Choice} choice @returns {string} the link's query */
export function choiceQuery({ checkpoint, row, text, layer, head, stage }) {
  const query = new URLSearchParams();
  if (checkpoint) query.set("checkpoint", checkpoint);
  if (text === null) query.set("row", String(row));
  else query.set("text", text);
  query.set("layer", String(layer));
  query.set("head", String(head));
  query.set("stage", stage);
  return query.toString();
}

/** @param {Choice} choice @returns {MicroscopeRequest} */
export function requestOf({ checkpoint, row, text, layer, head }) {
  return { checkpoint: checkpoint || null, ...(text === null ? { dataset_row: row } : { text }), layer, head, top_k: 8 };
}

/** @param {Stage} stage @param {1 | -1} by @returns {Stage} the next one, or the one before; at the ends the same */
export function neighbour(stage, by) {
  const place = STAGES.indexOf(stage) + by;
  return STAGES[Math.min(STAGES.length - 1, Math.max(0, place))];
}

/** @param {Checkpoint[]} checkpoints @returns {Stop[]} the model before training, what was saved on the way, the result */
export function stopsOf(checkpoints) {
  const saved = checkpoints.filter(({ kind }) => kind === "periodic" || kind === "best").sort((a, b) => a.step - b.step);
  const final = checkpoints.find(({ kind }) => kind === "final");
  return [
    { name: "start", step: 0, title: "Before the first update" },
    ...saved.map(({ name, step, kind }) => ({ name, step, title: `After update ${step}${kind === "best" ? ", best" : ""}` })),
    ...(final ? [{ name: "final", step: final.step, title: `Finished model, after update ${final.step}` }] : []),
  ];
}

/** @param {string | null} text @param {number} usual @returns {number} */
function whole(text, usual) {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : usual;
}
