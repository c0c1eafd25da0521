/**
 * How a dataset's records become examples, in words and as choices. Pure.
 *
 * @import { Dataset, Kind, Reading } from "../types.js"
 *
 * @typedef {"text" | "prompt" | "completion" | "messages"} Role what a column is used for
 */
import { count } from "../format.js";

/** @type {Record<Kind, { title: string, help: string, roles: Role[] }>} */
export const KINDS = {
  text: {
    title: "One example per row",
    help: "Each row is a text of its own. What is longer than the max length is cut off.",
    roles: ["text"],
  },
  document: {
    title: "Long documents",
    help: "The text is read on from beginning to end, in pieces of the max length. Nothing is cut off.",
    roles: ["text"],
  },
  completion: {
    title: "Prompt and completion",
    help: "The model reads the prompt and learns to write the completion.",
    roles: ["prompt", "completion"],
  },
  chat: {
    title: "Chat",
    help: "Conversations of messages with a role each. The model learns to write the assistant's.",
    roles: ["messages"],
  },
};

/** @type {Record<Role, string>} */
export const ROLE_LABELS = { text: "Text", prompt: "Prompt", completion: "Completion", messages: "Messages" };

/** Names that data sets usually give to such columns. @type {Record<Role, string[]>} */
const USUAL = {
  text: ["text", "content", "document", "body"],
  prompt: ["prompt", "instruction", "question", "input"],
  completion: ["completion", "response", "output", "answer"],
  messages: ["messages", "conversations", "conversation"],
};

/**
 * @param {Kind} kind
 * @param {string[]} columns of the file; none for a .txt
 * @param {Reading} [before] whose columns are kept where they fit
 * @returns {Reading} with a column for each role that the kind needs
 */
export function readingOf(kind, columns, before) {
  /** @type {Reading} */
  const reading = before?.kind === kind ? { ...before } : { kind };
  if (columns.length === 0) return reading;
  for (const role of KINDS[kind].roles) {
    const taken = KINDS[kind].roles.map((each) => reading[each]);
    const free = columns.filter((column) => !taken.includes(column));
    const usual = free.find((column) => USUAL[role].includes(column.toLowerCase()));
    reading[role] = before?.[role] ?? usual ?? free[0] ?? columns[0];
  }
  return reading;
}

/** @param {Reading} reading @param {string} column @returns {Role | null} what the column is used for */
export function roleOf(reading, column) {
  if (reading.kind === "completion" && reading.template?.includes(`{${column}}`)) return "prompt";
  return KINDS[reading.kind].roles.find((role) => reading[role] === column) ?? null;
}

/** @param {Reading} one @param {Reading} other */
export function isSame(one, other) {
  const alike = (/** @type {Role | "template"} */ name) => (one[name] ?? null) === (other[name] ?? null);
  return one.kind === other.kind && alike("template") && KINDS[one.kind].roles.every(alike);
}

/** @param {Pick<Dataset, "reading" | "columns">} dataset @returns {string} as the end of "It is read as …" */
export function inWords({ reading, columns }) {
  if (columns.length === 0) return reading.kind === "document" ? "one long document" : "one example per line";
  const named = (/** @type {Role} */ role) => `“${reading[role]}”`;
  switch (reading.kind) {
    case "completion":
      return `${reading.template ? templateInWords(reading.template) : named("prompt")} to read, ${named("completion")} to learn`;
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
