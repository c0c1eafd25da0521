/** @import { PlaygroundStore } from "../../stores/playground/playground-store.js" */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { Icon } from "../../components/icon.js";

/**
 * Where the prompt or the next message is typed, and sent.
 *
 * @param {{ store: PlaygroundStore, away: boolean, onFollow: () => void }} props `away`: the reader has left the end of what is being written
 */
export function Composer({ store, away, onFollow }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const chat = store.form.value === "chat";
  const busy = store.busy.value;
  const ready = store.models.value.length > 0 && (!chat || store.draft.value.trim() !== "");
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!ready || busy) return;
    store.send();
    toBox();
  };
  // The button that was pressed is gone, and what comes next is typed; on a phone that would bring up the keyboard.
  const toBox = () => !matchMedia("(pointer: coarse)").matches && box.current?.focus();
  const stop = () => {
    store.stop();
    toBox();
  };
  const startAnew = () => {
    store.startAnew();
    toBox();
  };
  // As in every chat, Enter sends and Shift+Enter begins a line; a prompt is a text, in which Enter is a line's end.
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const sends = chat ? !event.shiftKey : event.ctrlKey || event.metaKey;
    if (event.key !== "Enter" || !sends || event.isComposing) return;
    event.preventDefault();
    form.current?.requestSubmit();
  };
  // The buttons have keys: the one that stops must not turn into the one that sends while it is pressed.
  return html`
    <form class="composer" ref=${form} onSubmit=${send}>
      ${away && html`<button type="button" class="button small to-end" onClick=${onFollow}><${Icon} name="down" />To the end</button>`}
      <label class="stacked">
        <span class=${chat && store.turns.value.length ? "visually-hidden" : ""}>${chat ? "Message" : "Prompt"}</span>
        <textarea
          ref=${box}
          rows=${chat ? 2 : 4}
          placeholder=${chat ? "Ask something. Enter sends, Shift+Enter begins a new line." : "A text to go on from, such as: Once upon a time"}
          value=${store.draft.value}
          onInput=${(/** @type {Event} */ event) => (store.draft.value = /** @type {HTMLTextAreaElement} */ (event.target).value)}
          onKeyDown=${keys}
        />
      </label>
      <div class="actions">
        ${busy
          ? html`<button key="stop" type="button" class="button" onClick=${() => stop()}><${Icon} name="stop" />Stop${store.models.value.length > 1 ? " all" : ""}</button>`
          : html`<button key="send" class="button primary" disabled=${!ready}>${chat ? "Send" : "Generate"}</button>`}
        ${store.turns.value.length > 0 && html`<button type="button" class="button" onClick=${() => startAnew()}>${chat ? "New chat" : "Clear"}</button>`}
        <${ShowProbabilities} store=${store} />
        ${store.models.value.length > 1 &&
        html`
          <label class="inline-check" title="Names are hidden and the order is shuffled until you have voted">
            <input type="checkbox" checked=${store.blind.value} onChange=${(/** @type {Event} */ event) => (store.blind.value = isOn(event))} />
            Blind
          </label>
        `}
      </div>
    </form>
  `;
}

/** @param {{ store: PlaygroundStore }} props */
export function ShowProbabilities({ store }) {
  return html`
    <label class="inline-check">
      <input
        type="checkbox"
        checked=${store.probabilities.value}
        onChange=${(/** @type {Event} */ event) => (store.probabilities.value = isOn(event))}
      />
      Show probabilities
    </label>
  `;
}

/** @param {Event} event */
const isOn = (event) => /** @type {HTMLInputElement} */ (event.target).checked;
