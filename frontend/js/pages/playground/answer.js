/**
 * @import { Answer } from "../../stores/playground/answer.js"
 * @import { PlaygroundStore, Turn } from "../../stores/playground/playground-store.js"
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { CopyButton } from "../../components/copy-button.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import * as format from "../../format.js";
import { WAYS, wayOf } from "../../stores/playground/conversation.js";
import { LikelyTokens } from "./likely-tokens.js";
import { TextEdit, useEditing } from "./text-edit.js";

/** Of a long prompt that is gone on from, so much is shown before the answer. */
const PROMPT_SHOWN = 600;

const PHASES = {
  waiting: "Asking the model…",
  loading: "Loading the model. The first answer takes a while, later ones start at once.",
  writing: "Writing…",
};

/** @param {{ store: PlaygroundStore, turn: Turn, answer: Answer, name: string }} props */
export function AnswerView({ store, turn, answer, name }) {
  const [way, meaning] = WAYS[wayOf(store.form.value, store.find(answer.model))];
  const chat = store.form.value === "chat";
  const { editing, button } = useEditing();
  const text = html`
    <${AnswerText} answer=${answer} prompt=${chat ? "" : turn.user} probabilities=${store.probabilities.value} name=${name} />
  `;
  return html`
    <section class="answer" aria-label=${`Answer of ${name}`}>
      ${(turn.answers.length > 1 || chat) &&
      html`<header><h3 title=${name}>${name}</h3>${!turn.hidden && html`<span class="tag" title=${`${name} ${meaning}`}>${way}</span>`}</header>`}
      ${editing.value
        ? html`
            <${TextEdit}
              text=${answer.text.value}
              label=${`Answer of ${name}`}
              save="Save"
              note="What is asked next goes on from it."
              onSave=${(/** @type {string} */ written) => {
                editing.value = false;
                store.edit(answer, written);
              }}
              onLeave=${() => (editing.value = false)}
            />
          `
        : text}
      <${ErrorNotice} error=${answer.error.value} />
      ${!editing.value &&
      html`<div class="actions">
        ${answer.busy && html`<button key="stop" type="button" class="button small" aria-label=${`Stop ${name}`} onClick=${() => answer.stop()}><${Icon} name="stop" />Stop</button>`}
        ${!answer.busy &&
        answer.unfinished &&
        html`<button key="continue" type="button" class="button small" onClick=${() => store.goOn(turn, answer)}><${Icon} name="play" />Continue</button>`}
        ${!answer.busy && answer.text.value && html`<${CopyButton} text=${answer.text.value} label="Copy" />`}
        ${chat &&
        !answer.busy &&
        !turn.hidden &&
        html`
          <button ref=${button} type="button" class="button small" aria-label=${`Edit the answer of ${name}`} onClick=${() => (editing.value = true)}>
            <${Icon} name="pencil" />Edit
          </button>
        `}
        <span class="muted" role="status">${statusOf(answer, turn.hidden)}</span>
      </div>`}
    </section>
  `;
}

/**
 * Drawn anew with each token.
 *
 * @param {{ answer: Answer, prompt: string, probabilities: boolean, name: string }} props
 */
export function AnswerText({ answer, prompt, probabilities, name }) {
  const text = useComputed(() => (prompt ? answer.text.value : answer.text.value.trimStart()));
  const tokens = answer.tokens.value;
  if (probabilities && tokens.length) {
    return html`
      ${answer.before.trim() && html`<div class="answer-text" dir="auto">${answer.before}</div>`}
      <${LikelyTokens} tokens=${tokens} label=${`Tokens of the answer of ${name}`} />
    `;
  }
  const shown = prompt.length > PROMPT_SHOWN ? `…${prompt.slice(-PROMPT_SHOWN)}` : prompt;
  return html`
    <div class="answer-text" dir="auto">
      ${shown && html`<span class="muted">${shown}</span>`}<span data-generated>${text}</span
      >${answer.busy && html`<span class="caret"></span>`}
    </div>
  `;
}

/** @param {Answer} answer @param {boolean} hidden how fast it was would say which model it is */
function statusOf(answer, hidden) {
  const phase = answer.phase.value;
  if (phase !== "idle") return PHASES[phase];
  if (answer.stopped.value) return "Stopped.";
  const end = answer.end.value;
  const edited = answer.edited.value ? " You edited it." : "";
  if (!end) return edited;
  const why = end.finish_reason === "stop" ? "The model ended here." : answer.isFull ? "It can read no more: its context is full." : "Stopped at max new tokens.";
  const cut = end.truncated_tokens
    ? ` The prompt's first ${format.count(end.truncated_tokens)} tokens were left out: it is longer than the model can read.`
    : "";
  const seed = answer.request?.seed;
  const chance = seed === undefined || answer.request?.temperature === 0 ? "" : ` Seed ${seed}.`;
  const speed = hidden ? "" : `, ${format.count(end.tokens_per_s)} per second`;
  return `${format.count(end.completion_tokens)} tokens${speed}. ${why}${chance}${cut}${edited}`;
}
