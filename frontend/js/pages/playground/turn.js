/**
 * @import { PlaygroundStore, Turn } from "../../stores/playground/playground-store.js"
 */
import { html } from "htm/preact";
import { Icon } from "../../components/icon.js";
import { letterOf } from "../../stores/playground/votes.js";
import { AnswerView } from "./answer.js";
import { TextEdit, useEditing } from "./text-edit.js";
import { VoteBar } from "./vote-bar.js";

/**
 * A question with its answers, side by side. The prompt of a plain text stands in the answers themselves.
 *
 * @param {{ store: PlaygroundStore, turn: Turn, last: boolean }} props
 */
export function TurnView({ store, turn, last }) {
  const chat = store.form.value === "chat";
  return html`
    <article class="turn" aria-label=${chat ? "Question and answer" : "Prompt and answer"}>
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
  const { editing, button } = useEditing();
  if (editing.value) {
    return html`
      <${TextEdit}
        text=${turn.user}
        label="Message"
        save="Send again"
        note="What came after it is left out."
        onSave=${(/** @type {string} */ text) => store.again(turn, text)}
        onLeave=${() => (editing.value = false)}
      />
    `;
  }
  const acts = /** @type {const} */ ([
    ["pencil", "Edit", () => (editing.value = true)],
    ["again", "Retry", () => store.again(turn)],
    ["trash", "Delete", () => store.remove(turn)],
  ]);
  return html`
    <div class="question">
      <p class="question-text" dir="auto">${turn.user}</p>
      <div class="question-acts">
        ${acts.map(
          ([icon, name, act]) => html`
            <button ref=${name === "Edit" ? button : null} type="button" class="icon-button" aria-label=${`${name} this message`} title=${name} onClick=${act}><${Icon} name=${icon} /></button>
          `,
        )}
      </div>
    </div>
  `;
}
