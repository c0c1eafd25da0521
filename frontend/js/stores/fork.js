/**
 * A fork as its dialog holds it: from where, and what changes. Pure.
 *
 * @import { Checkpoint, Config, ForkPreview, RunOrigin } from "../types.js"
 * @import { FormField, Typed } from "./form.js"
 *
 * @typedef {object} ForkDraft
 * @property {number | null} step null begins from the start
 * @property {string[]} names of the settings that are shown, in the order in which they were chosen
 * @property {Typed} typed what each setting's control holds
 *
 * @typedef {object} ForkWish what the dialog opens with
 * @property {number | null} step
 * @property {Config} changes
 */
import * as format from "../format.js";
import { typedFrom, valueOf } from "./form.js";

const MOST_NAMED = 4;

/** The setting that most forks are about. */
const USUAL = "learning_rate";

/** @param {FormField[]} fields @param {Config} config of the run @param {ForkWish} wish @returns {ForkDraft} */
export function draftOf(fields, config, { step, changes }) {
  const known = new Set(fields.map(({ name }) => name));
  const names = Object.keys(changes).filter((name) => known.has(name));
  return { step, names: names.length ? names : [USUAL], typed: typedFrom(fields, { ...config, ...changes }) };
}

/**
 * @param {FormField[]} fields
 * @param {Config} config of the run
 * @param {ForkDraft} draft
 * @returns {Config} what differs from the run
 */
export function changesOf(fields, config, { names, typed }) {
  const shown = fields.filter(({ name }) => names.includes(name));
  const values = shown.map((field) => /** @type {const} */ ([field.name, valueOf(field, typed[field.name])]));
  return Object.fromEntries(values.filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(config[name] ?? null)));
}

/** @param {Checkpoint[]} checkpoints @returns {number[]} the steps that a run can go on from, rising */
export function forkSteps(checkpoints) {
  return [...new Set(checkpoints.filter(({ name }) => name.startsWith("step-")).map(({ step }) => step))].sort((a, b) => a - b);
}

/** @param {number[]} steps rising @param {number} step @returns {number | null} the nearest at or before it; null is the start */
export function nearestBefore(steps, step) {
  return steps.findLast((each) => each <= step) ?? null;
}

/** What goes on, in a sentence. @param {Pick<ForkPreview, "state" | "step" | "because">} preview @param {(name: string) => string} label */
export function carriedText({ state, step, because }, label) {
  const place = `step ${format.count(step)}`;
  if (state === "exact") {
    return `Goes on exactly from ${place}: weights, optimizer, random generators and the place in the data are carried over.`;
  }
  if (state === "start") return "Begins from the start, with this run's settings and your changes.";
  const why = because.length ? `${because.map(label).join(", ")} ${because.length > 1 ? "leave" : "leaves"} no more` : "The checkpoint holds no more";
  return `Begins anew from the weights of ${place}: ${why}. The optimizer, the schedule and the data start over.`;
}

/** @param {RunOrigin} origin @returns {string} such as "learning rate 5e-4 → 5e-5" */
export function changesText({ changes }) {
  const told = Object.entries(changes ?? {}).map(
    ([name, { before, after }]) => `${name.replaceAll("_", " ")} ${valueText(before)} → ${valueText(after)}`,
  );
  return told.join(", ") || "nothing changed";
}

/** @param {unknown} value */
function valueText(value) {
  if (value === null || value === undefined || value === "") return "none";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : format.number(value);
  if (typeof value === "boolean") return value ? "on" : "off";
  if (!Array.isArray(value)) return String(value);
  return value.length > MOST_NAMED ? `${value.length} entries` : value.join(" · ") || "none";
}
