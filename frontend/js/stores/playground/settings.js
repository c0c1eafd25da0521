/**
 * How tokens are chosen: the fields, the presets, and what is sent. Pure.
 *
 * @typedef {Record<string, string>} Typed what each field holds
 * @typedef {{ name: string, values: Typed, own?: boolean }} SamplingPreset
 */

/** Few enough digits to be read and typed. */
const SEEDS = 1_000_000;

/** @type {{ name: string, label: string, initial: string, help: string, placeholder?: string }[]} */
export const FIELDS = [
  { name: "temperature", label: "Temperature", initial: "0.8", help: "How daring: 0 always takes the likeliest token, above 1 gets wild." },
  { name: "top_p", label: "Top p", initial: "0.95", help: "Choose only among the likeliest tokens that together have this share." },
  { name: "top_k", label: "Top k", initial: "0", help: "Choose only among so many of the likeliest; 0: among all." },
  { name: "min_p", label: "Min p", initial: "0", help: "Leave out what is less likely than this share of the likeliest token." },
  { name: "repetition_penalty", label: "Repetition penalty", initial: "1", help: "Above 1, what was said already becomes less likely." },
  { name: "max_new_tokens", label: "Max new tokens", initial: "200", help: "Tokens (pieces of words) to write at most, up to 1,024." },
  { name: "seed", label: "Seed", initial: "", placeholder: "random", help: "The same seed gives the same answer. Empty: a new one each time." },
];

/** The field for stop strings, which are lines. */
export const STOP = "stop";

/** @type {Typed} */
export const INITIAL = { ...Object.fromEntries(FIELDS.map(({ name, initial }) => [name, initial])), [STOP]: "" };

const NEUTRAL = { top_p: "1", top_k: "0", min_p: "0", repetition_penalty: "1" };

/** @type {SamplingPreset[]} */
export const PRESETS = [
  { name: "Likeliest words", values: { ...NEUTRAL, temperature: "0" } },
  { name: "Balanced", values: { ...NEUTRAL, temperature: "0.8", top_p: "0.95" } },
  { name: "Lively", values: { ...NEUTRAL, temperature: "1.2", min_p: "0.05" } },
];

/** @param {Typed} typed @param {SamplingPreset[]} presets @returns {SamplingPreset | null} the one that is in use */
export function presetIn(typed, presets) {
  return presets.find(({ values }) => Object.entries(values).every(([name, value]) => typed[name] === value)) ?? null;
}

/** @param {Typed} typed @returns {Typed} what an own preset holds: all but the seed */
export function presetValues(typed) {
  const { seed, ...values } = typed;
  return values;
}

/** @param {Typed} typed @returns {Record<string, any>} what is filled in, as the server takes it; it judges what is no number */
export function sentOf(typed) {
  const filled = FIELDS.filter(({ name }) => typed[name].trim() !== "");
  const numbers = filled.map(({ name }) => [name, Number.isFinite(Number(typed[name])) ? Number(typed[name]) : typed[name]]);
  const stop = stopsOf(typed[STOP]);
  return { ...Object.fromEntries(numbers), ...(stop.length ? { [STOP]: stop } : {}) };
}

/** @param {string} text a stop string in each line, with \n and \t for what a line cannot hold @returns {string[]} */
export function stopsOf(text) {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => line.replaceAll("\\n", "\n").replaceAll("\\t", "\t"));
}

/**
 * A seed for all answers to a prompt, so that they differ by their models alone.
 *
 * @param {Record<string, any>} sent
 */
export const withSeed = (sent) => ({ seed: Math.floor(Math.random() * SEEDS), ...sent });
