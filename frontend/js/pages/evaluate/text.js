/**
 * What one or two models make of a text, token by token.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Model, ScoredText } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { ModelOptions } from "../../components/models/model-control.js";
import { ErrorNotice } from "../../components/notice.js";
import { PickList } from "../../components/pick-list.js";
import { useTask } from "../../components/hooks/use-task.js";
import { count } from "../../format.js";
import * as api from "../../server/api.js";
import { ScoredTexts } from "./scored-texts.js";

const MOST_CHARACTERS = 20_000;
const EXAMPLE = "The little fox went down to the river. There it met an old heron, who had been fishing since dawn.";

/** @param {{ models: Model[], chosen: Signal<string[]>, nameOf: (id: string) => string }} props */
export function TextPart({ models, chosen, nameOf }) {
  const text = useSignal(EXAMPLE);
  /** @type {ReturnType<typeof useTask<{ text: string, share?: number }, { models: ScoredText[] }>>} */
  const task = useTask();
  const two = chosen.value.slice(0, 2);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    task.start((signal) => api.scoreText({ models: two, text: text.value }, signal));
  };
  const { busy, progress, result, error } = task;
  const length = [...text.value].length;
  return html`
    <form class="evaluate-form" onSubmit=${submit}>
      <${PickList}
        label="One model, or two to compare"
        add=${two.length ? "Compare with…" : "Choose a model…"}
        chosen=${two}
        most=${2}
        nameOf=${nameOf}
        options=${html`<${ModelOptions} models=${models.filter((each) => !two.includes(each.id))} />`}
        onChange=${(/** @type {string[]} */ next) => (chosen.value = next)}
      />
      <label class="stacked">
        <span>Text</span>
        <textarea
          rows="5"
          dir="auto"
          value=${text.value}
          aria-describedby="text-help"
          onInput=${(/** @type {Event} */ event) => (text.value = /** @type {HTMLTextAreaElement} */ (event.target).value)}
        />
        <span class="field-help" id="text-help">
          Each model reads it and tells how likely it found every token (a piece of a word) after those before.
          ${length > MOST_CHARACTERS && html` <strong>At most ${count(MOST_CHARACTERS)} characters; these are ${count(length)}.</strong>`}
        </span>
      </label>
      <div class="actions">
        ${busy.value
          ? html`<button type="button" class="button" onClick=${task.cancel}>Stop</button>`
          : html`
              <button class="button primary" disabled=${two.length === 0 || !text.value || length > MOST_CHARACTERS}>
                Score the text
              </button>
            `}
        <span class="muted" role="status">${busy.value && (progress.value?.text ?? "Waiting for its turn…")}</span>
      </div>
    </form>
    <${ErrorNotice} error=${error.value} />
    ${result.value && html`<${ScoredTexts} models=${result.value.models} nameOf=${nameOf} busy=${busy.value} />`}
  `;
}
