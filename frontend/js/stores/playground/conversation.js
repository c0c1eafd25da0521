/**
 * What a model is sent: a text to go on from, or a conversation. Pure.
 *
 * @import { ChatMessage, GenerateRequest, Model } from "../../types.js"
 *
 * @typedef {"prompt" | "chat"} Form
 * @typedef {"text" | "chat" | "transcript"} Way how a form reaches one model
 * @typedef {{ user: string, answers: { model: string, text: string }[] }} Said a question or prompt, and what models answered
 */

/** Ends an answer of a model that would write the next question too. */
const NEXT_QUESTION = "\nUser:";

/** @type {Record<Way, [name: string, meaning: string]>} */
export const WAYS = {
  text: ["plain text", "goes on from the prompt as it stands."],
  chat: ["chat format", "gets the messages in its own chat format."],
  transcript: ["plain transcript", "has no chat format, so it gets the messages as a text: User: … Assistant: …"],
};

/** @param {Form} form @param {Model | undefined} model one that is not listed may have a format @returns {Way} */
export function wayOf(form, model) {
  if (form === "prompt") return "text";
  return model && !model.chat_template ? "transcript" : "chat";
}

/** @param {Model | undefined} model @returns {Form} what suits it: of a run's model, what it learned from */
export function usualForm(model) {
  if (!model) return "prompt";
  return (model.run ? model.chat : model.chat_template) ? "chat" : "prompt";
}

/**
 * @param {Said[]} said
 * @param {string} model where it has not answered, another one's answer stands
 * @param {string} system
 * @returns {ChatMessage[]} up to the last question
 */
export function messagesOf(said, model, system) {
  /** @type {ChatMessage[]} */
  const messages = system.trim() ? [{ role: "system", content: system }] : [];
  said.forEach(({ user, answers }, place) => {
    messages.push({ role: "user", content: user });
    const answer = answers.find((each) => each.model === model) ?? answers[0];
    if (place < said.length - 1 && answer) messages.push({ role: "assistant", content: answer.text });
  });
  return messages;
}

/** @param {ChatMessage[]} messages @returns {string} for a model without a chat format */
export function transcriptOf(messages) {
  const names = /** @type {Record<string, string>} */ ({ user: "User: ", assistant: "Assistant: " });
  return [...messages.map(({ role, content }) => `${names[role] ?? ""}${content}`), "Assistant:"].join("\n");
}

/**
 * @param {object} wanted
 * @param {Form} wanted.form
 * @param {Said[]} wanted.said up to the question that is to be answered
 * @param {string} wanted.system
 * @param {string} wanted.id of the model
 * @param {Model | undefined} wanted.model
 * @param {Record<string, any>} wanted.settings as sent
 * @param {string} [wanted.begun] the answer that is to be gone on with
 * @returns {GenerateRequest}
 */
export function requestOf({ form, said, system, id, model, settings, begun = "" }) {
  const way = wayOf(form, model);
  if (way === "text") return { ...settings, model: id, prompt: said[said.length - 1].user + begun, chat: false };
  const messages = messagesOf(said, id, system);
  if (way === "chat" && !begun) return { ...settings, model: id, messages };
  if (way === "chat") {
    return { ...settings, model: id, messages: [...messages, { role: "assistant", content: begun }], continue_answer: true };
  }
  const stop = [...(settings.stop ?? []), NEXT_QUESTION];
  return { ...settings, model: id, prompt: transcriptOf(messages) + begun, chat: false, stop };
}
