/**
 * @import { PlaygroundStore, Turn } from "../../stores/playground/playground-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../components/icon.js";
import { letterOf } from "../../stores/playground/votes.js";
import { AnswerView } from "./answer.js";
import { VoteBar } from "./vote-bar.js";

/**
 * A question with its answers, side by side. The prompt of a plain text stands in the answers themselves.
 *
 * @param {{ store: PlaygroundStore, turn: Turn, last: boolean }} props
 */
export function TurnView({ store, turn, last }) {
  const chat = store.form.value === "chat";
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (chat && turn.busy) box.current?.scrollIntoView({ block: "nearest" });
  }, []);
  return html`
    <article ref=${box} class="turn" aria-label=${chat ? "Question and answer" : "Prompt and answer"}>
      ${chat && html`<${Question} store=${store} turn=${turn} />`}
      <div class="answers" style=${{ "--columns": turn.answers.length }}>
        ${turn.answers.map(
          (answer, place) => html`
            <${AnswerView}
              key=${answer.model}
              store=${store}
              turn=${turn}
              answer=${answer}
              name=${turn.hidden ? letterOf(place) : store.nameOf(answer.model)}
            />
          `,
        )}
      </div>
      ${(last || turn.blind) && turn.answers.length > 1 && html`<${VoteBar} store=${store} turn=${turn} />`}
    </article>
  `;
}

/** @param {{ store: PlaygroundStore, turn: Turn }} props */
function Question({ store, turn }) {
  const edited = useSignal(/** @type {string | null} */ (null));
  if (edited.value !== null) {
    const save = (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = /** @type {string} */ (edited.value);
      edited.value = null;
      if (text.trim()) store.again(turn, text);
    };
    const leave = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") edited.value = null;
    };
    return html`
      <form class="question-edit" onSubmit=${save} onKeyDown=${leave}>
        <textarea
          rows="3"
          aria-label="Message"
          ref=${(/** @type {HTMLTextAreaElement | null} */ box) => box?.focus()}
          value=${edited.value}
          onInput=${(/** @type {Event} */ event) => (edited.value = /** @type {HTMLTextAreaElement} */ (event.target).value)}
        />
        <div class="actions">
          <button class="button primary small">Send again</button>
          <button type="button" class="button small" onClick=${() => (edited.value = null)}>Cancel</button>
          <span class="muted">What came after it is left out.</span>
        </div>
      </form>
    `;
  }
  const acts = /** @type {const} */ ([
    ["pencil", "Edit", () => (edited.value = turn.user)],
    ["again", "Retry", () => store.again(turn)],
    ["trash", "Delete", () => store.remove(turn)],
  ]);
  return html`
    <div class="question">
      <p class="question-text" dir="auto">${turn.user}</p>
      <div class="question-acts">
        ${acts.map(
          ([icon, name, act]) => html`
            <button type="button" class="icon-button" aria-label=${`${name} this message`} title=${name} onClick=${act}><${Icon} name=${icon} /></button>
          `,
        )}
      </div>
    </div>
  `;
}
