/**
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { ConfirmButton } from "../../components/confirm-button.js";
import { Icon } from "../../components/icon.js";
import * as format from "../../format.js";
import { forget, forgetAll, history } from "../../stores/playground/kept.js";

/** What was asked here before, to be taken up again. @param {{ store: PlaygroundStore, onRestore: () => void }} props */
export function History({ store, onRestore }) {
  const open = useSignal(false);
  return html`
    <button type="button" class="button small" onClick=${() => (open.value = true)}><${Icon} name="clock" />History</button>
    ${open.value && html`<${Dialog} store=${store} onRestore=${onRestore} onClose=${() => (open.value = false)} />`}
  `;
}

/** @param {{ store: PlaygroundStore, onRestore: () => void, onClose: () => void }} props */
function Dialog({ store, onRestore, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const entries = useSignal(history());
  useEffect(() => dialog.current?.showModal(), []);

  const drop = (/** @type {string} */ id) => {
    forget(id);
    entries.value = history();
  };
  const clear = async () => {
    forgetAll();
    entries.value = [];
  };
  const now = new Date();
  return html`
    <dialog ref=${dialog} class="edit history" aria-labelledby="history-title" onClose=${onClose}>
      <div class="card-head">
        <h2 id="history-title">History</h2>
        <button type="button" class="icon-button push" aria-label="Close" onClick=${() => dialog.current?.close()}><${Icon} name="cross" /></button>
      </div>
      <p class="muted">The latest prompts and their answers. Only this browser keeps them.</p>
      <ul class="history-list">
        ${entries.value.map(
          (entry) => html`
            <li key=${entry.id}>
              <button
                type="button"
                class="history-entry"
                onClick=${() => {
                  store.restore(entry);
                  onRestore();
                  dialog.current?.close();
                }}
              >
                <span>${firstWords(entry.said[0]?.user ?? "")}</span>
                <span class="muted">${format.moment(entry.time, now)} · ${entry.models.map((id) => store.nameOf(id)).join(" beside ")}</span>
              </button>
              <button type="button" class="icon-button" aria-label="Forget this one" title="Forget" onClick=${() => drop(entry.id)}><${Icon} name="trash" /></button>
            </li>
          `,
        )}
      </ul>
      ${entries.value.length > 0
        ? html`<${ConfirmButton} question="Forget all of it?" confirm="Forget" cancel="Keep" onConfirm=${clear}>Clear the history<//>`
        : html`<p>Nothing yet.</p>`}
    </dialog>
  `;
}

/** @param {string} text */
const firstWords = (text) => (text.length > 90 ? `${text.slice(0, 90)}…` : text || "(empty prompt)");
