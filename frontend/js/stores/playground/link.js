/**
 * The playground as a link: models, prompt or conversation, and settings. Pure.
 *
 * @import { Form, Said } from "./conversation.js"
 * @import { Typed } from "./settings.js"
 *
 * @typedef {object} Session
 * @property {string[]} models
 * @property {Form | null} form null: as suits the first model
 * @property {string} system
 * @property {string} draft what is about to be sent
 * @property {Said[]} said
 * @property {Typed} settings
 */
import { INITIAL } from "./settings.js";

export const MOST_MODELS = 4;

/** What browsers, mail programs and chats hand on whole. */
const LONGEST_LINK = 8000;

/** @param {Session} session @returns {string | null} null if it would be too long to be handed on */
export function sessionLink({ models, form, system, draft, said, settings }) {
  const query = new URLSearchParams(models.map((model) => ["model", model]));
  if (form) query.set("form", form);
  if (system) query.set("system", system);
  if (draft) query.set("prompt", draft);
  if (form === "chat" && said.length) query.set("said", JSON.stringify(said.map(({ user, answers }) => [user, answers[0]?.text ?? ""])));
  for (const [name, value] of Object.entries(settings)) if (value !== INITIAL[name]) query.set(name, value);
  const link = `#/playground?${query}`;
  return link.length > LONGEST_LINK ? null : link;
}

/** @param {URLSearchParams} query @returns {Session} what makes no sense is passed over */
export function sessionOf(query) {
  const form = query.get("form");
  const models = [...new Set(query.getAll("model").filter(Boolean))].slice(0, MOST_MODELS);
  const settings = Object.fromEntries(Object.entries(INITIAL).map(([name, initial]) => [name, query.get(name) ?? initial]));
  return {
    models,
    form: form === "prompt" || form === "chat" ? form : null,
    system: query.get("system") ?? "",
    draft: query.get("prompt") ?? "",
    said: pairsOf(query.get("said")).map(([user, text]) => ({ user, answers: [{ model: models[0] ?? "", text }] })),
    settings,
  };
}

/** @param {string | null} text @returns {[string, string][]} */
function pairsOf(text) {
  try {
    const found = JSON.parse(text ?? "[]");
    const isPair = (/** @type {unknown} */ each) => Array.isArray(each) && each.length === 2 && each.every((part) => typeof part === "string");
    return Array.isArray(found) && found.every(isPair) ? found : [];
  } catch {
    return []; // a link that was cut short
  }
}
