/** @import { Dataset } from "../../types.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { fetchDataset } from "../../server/api.js";
import * as format from "../../format.js";
import { ErrorNotice } from "../notice.js";
import { Progress } from "../progress.js";
import { useTask } from "../hooks/use-task.js";

/**
 * A dataset of the Hugging Face hub, by its name there.
 *
 * @param {{ onFetched: (dataset: Dataset) => void }} props
 */
export function HubFetch({ onFetched }) {
  const id = useSignal("");
  const split = useSignal("train");
  /** @type {ReturnType<typeof useTask<{ bytes: number, total: number | null }, Dataset>>} */
  const task = useTask();

  useEffect(() => {
    if (task.result.value) onFetched(task.result.value);
  }, [task.result.value]);

  const fetch = (/** @type {Event} */ event) => {
    event.preventDefault();
    task.start((signal) => fetchDataset({ id: id.value.trim(), split: split.value.trim() || "train" }, signal));
  };
  return html`
    <form class="hub" onSubmit=${fetch}>
      <label class="stacked">
        <span>From the Hugging Face hub</span>
        <input
          type="text"
          placeholder="owner/name, such as roneneldan/TinyStories"
          autocomplete="off"
          spellcheck=${false}
          value=${id.value}
          onInput=${(/** @type {Event} */ event) => (id.value = textOf(event))}
        />
      </label>
      <label class="stacked hub-split">
        <span>Split</span>
        <input
          type="text"
          autocomplete="off"
          spellcheck=${false}
          value=${split.value}
          onInput=${(/** @type {Event} */ event) => (split.value = textOf(event))}
        />
      </label>
      ${task.busy.value
        ? html`<${Fetching} progress=${task.progress.value} onCancel=${task.cancel} />`
        : html`<button class="button" disabled=${!id.value.trim()}>Fetch</button>`}
      <${ErrorNotice} error=${task.error.value} />
    </form>
  `;
}

/** @param {Event} event */
const textOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {{ progress: { bytes: number, total: number | null } | null, onCancel: () => void }} props */
function Fetching({ progress, onCancel }) {
  const whole = progress?.total ? progress.bytes >= progress.total : false;
  const share = progress?.total && !whole ? progress.bytes / progress.total : null;
  return html`
    <div class="sending">
      <span role="status">${!progress ? "Asking the hub" : whole ? "Checking" : "Fetching"}</span>
      <${Progress} share=${share} label="Fetching from the hub" />
      <span class="muted">
        ${progress && `${format.bytes(progress.bytes)}${progress.total ? ` of ${format.bytes(progress.total)}` : ""}`}
      </span>
      <button type="button" class="button small" onClick=${onCancel}>Cancel</button>
    </div>
  `;
}
