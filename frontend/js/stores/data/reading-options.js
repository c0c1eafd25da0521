/**
 * What a reading says beside its columns, as choices and as text that people type. Pure.
 *
 * @import { Kind, Reading } from "../../types.js"
 *
 * @typedef {{ name: "special_tokens" | "empty_words" | "system_into_user", label: string, help: string }} Switch
 */

/** @type {(Switch & { kinds?: Kind[], columns?: boolean })[]} */
const SWITCHES = [
  {
    name: "special_tokens",
    label: "Special tokens in the text are the model's",
    help: "For texts that were put into a model's format beforehand, with marks such as <|im_start|>. Else they are plain text.",
  },
  {
    name: "empty_words",
    label: "nan, None and null mean empty",
    help: "For tables from programs that write these words where nothing is.",
    columns: true,
  },
  {
    name: "system_into_user",
    label: "Put the system message before the user's first",
    help: "For models whose chat format has no system message.",
    kinds: ["chat"],
  },
];

/** @param {Reading} reading @param {string[]} columns @returns {Switch[]} those that have an effect */
export function switchesOf({ kind }, columns) {
  return SWITCHES.filter((each) => (each.kinds?.includes(kind) ?? true) && (!each.columns || columns.length > 0));
}

/** What may stand between prompt and completion, and what it is called. @type {[value: string | null, label: string][]} */
const SEPARATORS = [
  [null, "A blank, where words are divided by blanks"],
  ["", "Nothing"],
  [" ", "A blank"],
  ["\n", "A new line"],
  ["\n\n", "An empty line"],
];

/** @param {string | null} current @returns {[value: string | null, label: string][]} with the current one */
export function separatorsOf(current) {
  const known = SEPARATORS.some(([value]) => value === current);
  return known ? SEPARATORS : [...SEPARATORS, [current, JSON.stringify(current)]];
}

/** @param {NonNullable<Reading["chat_template_kwargs"]>} variables @returns {string} a line for each */
export function variablesAsText(variables) {
  return Object.entries(variables)
    .map(([name, value]) => `${name} = ${value}`)
    .join("\n");
}

/**
 * @param {string} text "enable_thinking = false", a line for each
 * @returns {{ variables: NonNullable<Reading["chat_template_kwargs"]>, wrong: string | null }} wrong: the first line that says
 *   nothing
 */
export function variablesOf(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const pairs = lines.map((line) => /^\s*([A-Za-z_]\w*)\s*[=:]\s*(.*?)\s*$/.exec(line));
  const wrong = lines[pairs.findIndex((pair) => pair === null || pair[2] === "")] ?? null;
  const good = pairs.flatMap((pair) => (pair && pair[2] ? [[pair[1], valueOf(pair[2])]] : []));
  return { variables: Object.fromEntries(good), wrong };
}

/** @param {string} text true, false, null, a number, or text @returns {string | number | boolean | null} */
function valueOf(text) {
  const word = /^(true|false)$/i.exec(text)?.[0].toLowerCase();
  if (word) return word === "true";
  if (/^(null|none)$/i.test(text)) return null;
  return Number.isFinite(Number(text)) ? Number(text) : text.replace(/^(["'])(.*)\1$/, "$2");
}
