/**
 * How a dataset's records become examples, in words and as choices. Pure.
 *
 * @import { Dataset, Kind, Reading } from "../../types.js"
 *
 * @typedef {"text" | "prompt" | "completion" | "messages" | "asked" | "system" | "tools" | "history" | "label"} Role
 *   what a column is used for
 */
import { count } from "../../format.js";

/** @type {Record<Kind, { title: string, help: string }>} */
export const KINDS = {
  text: {
    title: "One example per row",
    help: "Each row is a text of its own. What is longer than the max length is cut off.",
  },
  document: {
    title: "Long documents",
    help: "The text is read on from beginning to end, in pieces of the max length. Nothing is cut off.",
  },
  completion: {
    title: "Prompt and completion",
    help: "The model reads the prompt and learns to write the completion.",
  },
  chat: {
    title: "Chat",
    help: "Conversations of messages with a role each. The model learns to write the assistant's.",
  },
};

/** @type {Record<Role, string>} */
export const ROLE_LABELS = {
  text: "Text",
  prompt: "Prompt",
  completion: "Completion",
  messages: "Messages",
  asked: "Asked before",
  system: "System message",
  tools: "Tools",
  history: "Earlier turns",
  label: "Learned if true",
};

/** Names that data sets usually give to such columns. @type {Partial<Record<Role, string[]>>} */
const USUAL = {
  text: ["text", "content", "document", "body"],
  prompt: ["prompt", "instruction", "question", "input"],
  completion: ["completion", "response", "output", "answer"],
  messages: ["messages", "conversations", "conversation"],
};

/** Whether a chat is made of a prompt and a completion each. @param {Reading} reading */
export const isChatOfColumns = ({ kind, messages, completion }) =>
  kind === "chat" && (messages ?? null) === null && (completion ?? null) !== null;

/** @param {Reading} reading @returns {Role[]} columns that it cannot do without, a template apart */
export function neededRoles(reading) {
  if (reading.kind === "completion" || isChatOfColumns(reading)) return ["prompt", "completion"];
  return reading.kind === "chat" ? ["messages"] : ["text"];
}

/** @param {Reading} reading @returns {Role[]} columns that it may have besides */
export function optionalRoles(reading) {
  if (reading.kind === "completion") return ["label"];
  if (reading.kind !== "chat") return [];
  return isChatOfColumns(reading) ? ["system", "history", "label"] : ["system", "tools", "asked"];
}

/** @param {Reading} reading @returns {"text" | "prompt" | null} what its template makes, or could */
export function madeRole(reading) {
  const role = neededRoles(reading)[0];
  return role === "text" || role === "prompt" ? role : null;
}

/**
 * @param {Kind} kind
 * @param {string[]} columns of the file; none for a .txt
 * @param {Reading} [before] of which all is kept that fits
 * @returns {Reading} with a column for each role that the kind needs
 */
export function readingOf(kind, columns, before) {
  /** @type {Reading} */
  const reading = { ...before, kind };
  if (columns.length === 0) return reading;
  if (kind === "chat" && !reading.messages) {
    const messages = columns.find((column) => USUAL.messages?.includes(column.toLowerCase()));
    if (messages || columns.length < 2) reading.messages = messages ?? columns[0];
    else reading.completion ??= usualOr("completion", columns, [reading.prompt]);
  }
  if (before?.template && madeRole(before) !== madeRole(reading)) reading.template = null;
  const needed = neededRoles(reading);
  for (const role of needed) reading[role] ??= usualOr(role, columns, needed.map((each) => reading[each]));
  return reading;
}

/** @param {Role} role @param {string[]} columns @param {(string | null | undefined)[]} taken */
function usualOr(role, columns, taken) {
  const free = columns.filter((column) => !taken.includes(column));
  // Of a prompt and its completion the prompt mostly comes first.
  return free.find((column) => USUAL[role]?.includes(column.toLowerCase())) ?? (role === "completion" ? free.at(-1) : free[0]) ?? columns[0];
}

/** What a template makes, and the roles that a column each has. @param {Reading} reading */
function parts(reading) {
  const made = reading.template ? madeRole(reading) : null;
  return { made, roles: [...neededRoles(reading).filter((role) => role !== made), ...optionalRoles(reading)] };
}

/** @param {Reading} reading @param {string} column @returns {Role | null} what the column is used for */
export function roleOf(reading, column) {
  const { made, roles } = parts(reading);
  const within = (/** @type {string} */ name) => name === column || name.split(".")[0] === column;
  if (made && templateColumns(reading.template ?? "").some(within)) return made;
  return roles.find((role) => within(reading[role] ?? "")) ?? null;
}

/** @param {string} template @returns {string[]} the columns it names */
export const templateColumns = (template) => [...template.matchAll(/\{([^{}\n]+)\}/g)].map(([, name]) => name);

/** @param {Reading} one @param {Reading} other */
export function isSame(one, other) {
  return canonical(one) === canonical(other);
}

/** What of a reading has an effect, as text. @param {Reading} reading */
function canonical(reading) {
  const { kind, separator = null, special_tokens: marks, empty_words: words, system_into_user: into } = reading;
  const { made, roles } = parts(reading);
  return JSON.stringify([
    ...[kind, made && reading.template, roles.map((role) => reading[role] ?? null)],
    ...[Boolean(marks), Boolean(words), kind === "completion" && separator],
    kind === "chat" && [Boolean(into), Object.entries(reading.chat_template_kwargs ?? {}).sort()],
  ]);
}

/** @param {Pick<Dataset, "reading" | "columns">} dataset @returns {string} as the end of "It is read as …" */
export function inWords({ reading, columns }) {
  if (columns.length === 0) return reading.kind === "document" ? "one long document" : "one example per line";
  const named = (/** @type {Role} */ role) =>
    reading.template && role === madeRole(reading) ? templateInWords(reading.template) : `“${reading[role]}”`;
  if (isChatOfColumns(reading)) return `conversations that ask ${named("prompt")} and answer ${named("completion")}`;
  switch (reading.kind) {
    case "completion":
      return `${named("prompt")} to read, ${named("completion")} to learn`;
    case "chat":
      return `conversations in ${named("messages")}`;
    case "document":
      return `long documents in ${named("text")}`;
    default:
      return `one example per row, from ${named("text")}`;
  }
}

/** @param {string} template @returns {string} its lines, side by side */
function templateInWords(template) {
  return `“${template.split(/\s*\n\s*/).join("”, “")}”`;
}

const FORMATS = { txt: "plain text", json: "JSON", jsonl: "JSON lines", csv: "CSV", tsv: "TSV", parquet: "Parquet" };

/** @param {Dataset} dataset @returns {string} such as "CSV, gzip, UTF-16" */
export function formatOf({ format, compressed, encoding }) {
  const parts = [FORMATS[format], compressed ? "gzip" : "", format === "parquet" ? "" : encoding.toUpperCase()];
  return parts.filter(Boolean).join(", ");
}

/** @param {Dataset} dataset @returns {string} such as "1,200 examples" */
export function sizeOf({ rows, reading, columns }) {
  if (reading.kind === "document" && columns.length === 0) return "one document";
  const noun = reading.kind === "document" ? "document" : "example";
  return `${count(rows)} ${noun}${rows === 1 ? "" : "s"}`;
}
