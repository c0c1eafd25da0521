/**
 * Prompt models or chat with them, alone or side by side, or one prompt at each checkpoint of a run.
 *
 * @import { Form } from "../stores/playground/conversation.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { CopyButton } from "../components/copy-button.js";
import { ErrorNotice } from "../components/notice.js";
import { Segmented } from "../components/segmented.js";
import { sessionLink, sessionOf } from "../stores/playground/link.js";
import { PlaygroundStore } from "../stores/playground/playground-store.js";
import { Checkpoints } from "./playground/checkpoints.js";
import { Composer } from "./playground/composer.js";
import { History } from "./playground/history.js";
import { ModelsBar } from "./playground/models-bar.js";
import { PromptTokens } from "./playground/prompt-tokens.js";
import { SettingsPanel } from "./playground/settings-panel.js";
import { TurnView } from "./playground/turn.js";
import { useFollow } from "./playground/use-follow.js";
import { Votes } from "./playground/votes.js";

/** @typedef {"models" | "checkpoints"} View */

/** @param {{ query: URLSearchParams }} props of the link */
export function PlaygroundPage({ query }) {
  const store = useMemo(() => new PlaygroundStore(sessionOf(query)), []);
  const view = useSignal(/** @type {View} */ (query.has("checkpoints") ? "checkpoints" : "models"));

  useEffect(() => {
    document.title = "Playground · Trainboard";
    store.open();
    return () => store.close();
  }, []);

  if (store.listed.value?.length === 0 && store.models.value.length === 0) return html`<${NoModels} />`;
  return html`
    <div class="page-head">
      <h1>Playground</h1>
      <${Segmented}
        label="What is asked"
        name="playground-view"
        options=${[["models", "Models"], ["checkpoints", "Checkpoints of a run"]]}
        value=${view.value}
        onChange=${(/** @type {View} */ chosen) => (view.value = chosen)}
      />
      <div class="actions push">
        ${view.value === "models" && html`<${Link} store=${store} />`}
        <${History} store=${store} onRestore=${() => (view.value = "models")} />
      </div>
    </div>
    <${ErrorNotice} error=${store.listError.value} />
    <div class="playground">
      <div class="playground-main">
        <${FormChoice} store=${store} />
        ${view.value === "models" ? html`<${Models} store=${store} />` : html`<${Checkpoints} store=${store} run=${query.get("checkpoints")} />`}
      </div>
      <${SettingsPanel} store=${store} />
    </div>
  `;
}

/** @param {{ store: PlaygroundStore }} props */
function Models({ store }) {
  const turns = store.turns.value;
  const chat = store.form.value === "chat";
  const { end, away, toEnd } = useFollow(chat && store.busy.value);
  const composer = html`<${Composer} store=${store} away=${away.value} onFollow=${toEnd} />`;
  return html`
    <${ModelsBar} store=${store} />
    ${!chat && composer}
    ${turns.length > 0 &&
    html`
      <div class="turns" data-form=${store.form.value}>
        ${turns.map((turn, place) => html`<${TurnView} key=${turn.id} store=${store} turn=${turn} last=${place === turns.length - 1} />`)}
        <div ref=${end} class="turns-end"></div>
      </div>
    `}
    ${chat && turns.length === 0 && html`<p class="muted playground-empty">Ask something: the answer is written here.</p>`}
    ${chat && composer}
    <${PromptTokens} store=${store} />
    <${Votes} store=${store} />
  `;
}

/** @param {{ store: PlaygroundStore }} props */
function FormChoice({ store }) {
  const chat = store.form.value === "chat";
  const model = store.find(store.first.value);
  const plain = model && !model.chat_template;
  return html`
    <div class="actions">
      <${Segmented}
        label="Form"
        name="playground-form"
        options=${[["prompt", "Prompt"], ["chat", "Chat"]]}
        value=${store.form.value}
        onChange=${(/** @type {Form} */ form) => store.setForm(form)}
      />
      <span class="muted">
        ${!chat && "A text that the model goes on from."}
        ${chat && (plain ? `${model.name} has no chat format: messages are sent as a plain transcript.` : "Messages in the model's own chat format.")}
      </span>
    </div>
  `;
}

/** @param {{ store: PlaygroundStore }} props */
function Link({ store }) {
  const link = sessionLink(store.session());
  if (link === null) return html`<span class="muted">Too long for a link; the history keeps it.</span>`;
  return html`<${CopyButton} text=${location.origin + location.pathname + link} label="Copy link" />`;
}

function NoModels() {
  return html`
    <section class="empty">
      <h1>No model to talk to yet</h1>
      <p>Every run that ends leaves one. The sample run takes about a minute.</p>
      <a class="button primary" href="#/">Go to the runs</a>
    </section>
  `;
}
