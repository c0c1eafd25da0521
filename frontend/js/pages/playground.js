/**
 * Prompt a model and watch it write.
 *
 * @import { GenerateRequest, Model } from "../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import * as api from "../server/api.js";
import { ModelOptions } from "../components/model-control.js";
import { ErrorNotice } from "../components/notice.js";
import * as format from "../format.js";

/** @typedef {"idle" | "waiting" | "loading" | "writing"} Phase */

const SETTINGS = /** @type {const} */ ([
  ["temperature", "Temperature", "0.8", "How daring: 0 always takes the likeliest word, above 1 gets wild."],
  ["top_p", "Top p", "0.95", "Choose only among the likeliest words that together have this share."],
  ["max_new_tokens", "Max new tokens", "100", "Tokens (pieces of words) to write at most."],
  ["seed", "Seed", "", "The same seed gives the same answer. Empty: a new one each time."],
]);

/** @param {{ model: string | null }} props the model that the link asked for */
export function PlaygroundPage({ model: wanted }) {
  const models = useSignal(/** @type {Model[] | null} */ (null));
  const model = useSignal(wanted ?? "");
  const prompt = useSignal("Once upon a time");
  const asChat = useSignal(/** @type {boolean | null} */ (null)); // null: as suits the model
  const settings = useSignal(
    /** @type {Record<string, string>} */ (Object.fromEntries(SETTINGS.map(([name, , initial]) => [name, initial]))),
  );
  const loadError = useSignal(/** @type {api.ApiError | null} */ (null));
  const generation = useGeneration();

  useEffect(() => {
    document.title = "Playground · Trainboard";
    api.listModels().then(
      ({ items }) => {
        models.value = items.filter((each) => each.promptable);
        model.value ||= models.value[0]?.id ?? "";
      },
      (reason) => (loadError.value = reason),
    );
  }, []);

  if (models.value?.length === 0 && !wanted) return html`<${NoModels} />`;

  const chosen = models.value?.find((each) => each.id === model.value);
  const chat = asChat.value ?? chosen?.chat ?? null;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    generation.start({ model: model.value, prompt: prompt.value, chat, ...numbersOf(settings.value) });
  };
  return html`
    <div class="page-head"><h1>Playground</h1></div>
    <${ErrorNotice} error=${loadError.value} />
    <form class="playground" onSubmit=${submit}>
      <div class="playground-main">
        <label class="stacked">
          <span>Model</span>
          <select
            value=${model.value}
            onChange=${(/** @type {Event} */ event) => {
              model.value = textOf(event);
              asChat.value = null;
            }}
          >
            ${!chosen && model.value && html`<option value=${model.value}>${model.value}</option>`}
            <${ModelOptions} models=${models.value ?? []} />
          </select>
        </label>
        <label class="stacked">
          <span>Prompt</span>
          <textarea
            rows="4"
            value=${prompt.value}
            onInput=${(/** @type {Event} */ event) => (prompt.value = textOf(event))}
          />
        </label>
        <${GenerateBar} generation=${generation} ready=${model.value !== ""} />
        <${ErrorNotice} error=${generation.error.value} />
        <${Output} generation=${generation} />
      </div>
      <fieldset class="playground-settings">
        <legend>Settings</legend>
        <label class="stacked">
          <span class="actions">
            <input
              type="checkbox"
              checked=${chat === true}
              aria-describedby="help-chat"
              onChange=${(/** @type {Event} */ event) => (asChat.value = /** @type {HTMLInputElement} */ (event.target).checked)}
            />
            As a chat message
          </span>
          <span class="field-help" id="help-chat">
            The prompt is put to the model as a question in its chat format. Suits models that learned from chats.
          </span>
        </label>
        ${SETTINGS.map(
          ([name, label, , help]) => html`
            <label class="stacked">
              <span>${label}</span>
              <input
                type="text"
                inputmode="decimal"
                class="number"
                autocomplete="off"
                placeholder=${name === "seed" ? "random" : ""}
                aria-describedby=${`help-${name}`}
                value=${settings.value[name]}
                onInput=${(/** @type {Event} */ event) => (settings.value = { ...settings.value, [name]: textOf(event) })}
              />
              <span class="field-help" id=${`help-${name}`}>${help}</span>
            </label>
          `,
        )}
      </fieldset>
    </form>
  `;
}

/** @param {Event} event */
const textOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {Record<string, string>} settings @returns {any} empty ones left out; the server judges the rest */
function numbersOf(settings) {
  const filled = Object.entries(settings).filter(([, text]) => text.trim() !== "");
  return Object.fromEntries(filled.map(([name, text]) => [name, Number.isFinite(Number(text)) ? Number(text) : text]));
}

/** One answer at a time, as signals. Leaving the page stops it. */
function useGeneration() {
  const phase = useSignal(/** @type {Phase} */ ("idle"));
  const prompt = useSignal("");
  const text = useSignal("");
  const result = useSignal("");
  const error = useSignal(/** @type {api.ApiError | null} */ (null));
  const controller = useRef(/** @type {AbortController | null} */ (null));

  const stop = () => controller.current?.abort();
  useEffect(() => stop, []);

  const start = async (/** @type {GenerateRequest} */ request) => {
    const aborter = (controller.current = new AbortController());
    phase.value = "waiting";
    prompt.value = request.prompt;
    text.value = result.value = "";
    error.value = null;
    try {
      for await (const { type, data } of api.generate(request, aborter.signal)) {
        if (type === "loading") phase.value = "loading";
        else if (type === "token") {
          phase.value = "writing";
          text.value += data.text;
        } else if (type === "done") result.value = summaryOf(data);
      }
    } catch (reason) {
      if (aborter.signal.aborted) result.value = "Stopped.";
      else if (reason instanceof api.ApiError) error.value = reason;
      else throw reason;
    } finally {
      phase.value = "idle";
    }
  };
  return { phase, prompt, text, result, error, start, stop };
}

/** @param {{ completion_tokens: number, truncated_tokens: number, tokens_per_s: number, finish_reason: string }} done */
function summaryOf(done) {
  const end = done.finish_reason === "length" ? "Stopped at max new tokens." : "The model ended here.";
  const cut = done.truncated_tokens
    ? ` The prompt's first ${format.count(done.truncated_tokens)} tokens were left out: it is longer than the model can read.`
    : "";
  return `${format.count(done.completion_tokens)} tokens, ${format.count(done.tokens_per_s)} per second. ${end}${cut}`;
}

/** @param {{ generation: ReturnType<typeof useGeneration>, ready: boolean }} props */
function GenerateBar({ generation, ready }) {
  const phase = generation.phase.value;
  return html`
    <div class="actions">
      ${phase === "idle"
        ? html`<button class="button primary" disabled=${!ready}>Generate</button>`
        : html`<button type="button" class="button" onClick=${generation.stop}>Stop</button>`}
      <span class="muted" role="status">
        ${phase === "waiting" && "Asking the model…"}
        ${phase === "loading" && "Loading the model. The first answer takes a while, later ones start at once."}
        ${phase === "writing" && "Writing…"} ${phase === "idle" && generation.result.value}
      </span>
    </div>
  `;
}

/** @param {{ generation: ReturnType<typeof useGeneration> }} props */
function Output({ generation }) {
  const { phase, prompt, text } = generation;
  if (phase.value === "idle" && !text.value) return null;
  return html`
    <div class="generated" aria-label="Answer" role="region">
      <span class="muted">${prompt.value}</span><span data-generated>${text.value}</span>
      ${phase.value !== "idle" && html`<span class="caret"></span>`}
    </div>
  `;
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
