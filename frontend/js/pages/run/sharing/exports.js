/**
 * @import { Export } from "../../../types.js"
 * @import { Format, NumberFormat } from "../../../stores/exports.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { Check } from "../../../components/check.js";
import { ConfirmButton } from "../../../components/confirm-button.js";
import { Icon } from "../../../components/icon.js";
import { ErrorNotice, Notes, Notice } from "../../../components/notice.js";
import { Progress } from "../../../components/progress.js";
import { Segmented } from "../../../components/segmented.js";
import { useTask } from "../../../components/hooks/use-task.js";
import * as format from "../../../format.js";
import { createExport, deleteExport, exportPath, followExport, listExports, pushExport } from "../../../server/api.js";
import { ApiError } from "../../../server/requests.js";
import { FORMATS, sourcesOf, titleOf, verdictOf } from "../../../stores/exports.js";

/** The model as files for other programs, each checked there. @param {{ store: RunStore }} props */
export function Exports({ store }) {
  const sources = sourcesOf(store.checkpoints.value);
  const items = useSignal(/** @type {Export[]} */ ([]));
  const error = useSignal(/** @type {ApiError | null} */ (null));

  const load = async () => {
    try {
      items.value = (await listExports(store.id)).items;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  };
  useEffect(() => void load(), [store.id]);

  if (sources.length === 0) return null;
  return html`
    <section class="card exports">
      <div class="card-head"><h2>Export</h2></div>
      <p class="muted">
        Take the model to other programs. Each export is opened there, and its answers are compared with the ones here.
      </p>
      <${Order} store=${store} sources=${sources} onStart=${load} />
      <${ErrorNotice} error=${error.value} />
      <ul>
        ${items.value.map((one) => html`<${Row} key=${one.name + one.created_at} id=${store.id} one=${one} onChange=${load} />`)}
      </ul>
    </section>
  `;
}

/**
 * What to export.
 *
 * @param {{ store: RunStore, sources: ReturnType<typeof sourcesOf>, onStart: () => Promise<void> }} props
 */
function Order({ store, sources, onStart }) {
  const source = useSignal(/** @type {string | null} */ (null));
  const kind = useSignal(/** @type {Format} */ ("gguf"));
  const numbers = useSignal(/** @type {NumberFormat} */ (FORMATS.gguf.numbers[0][0]));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const chosen = sources.find(({ checkpoint }) => checkpoint === source.value) ?? sources[0];
  const kinds = /** @type {Format[]} */ (Object.keys(FORMATS)).filter(
    (name) => name !== "adapter" || store.run.value?.config.method === "lora",
  );

  const start = async (/** @type {Event} */ event) => {
    event.preventDefault();
    error.value = null;
    try {
      await createExport(store.id, { checkpoint: chosen.checkpoint, format: kind.value, number_format: numbers.value });
      await onStart();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  };
  const known = FORMATS[kind.value];
  const value = (/** @type {Event} */ event) => /** @type {HTMLSelectElement} */ (event.target).value;
  return html`
    <form class="export-order" onSubmit=${start}>
      <${Segmented}
        label="Format"
        name="export-format"
        options=${kinds.map((name) => [name, FORMATS[name].title])}
        value=${kind.value}
        onChange=${(/** @type {Format} */ name) => {
          kind.value = name;
          numbers.value = FORMATS[name].numbers[0][0];
        }}
      />
      <p class="muted">${known.help}</p>
      <label>
        What
        <select value=${chosen.checkpoint ?? ""} onChange=${(/** @type {Event} */ event) => (source.value = value(event) || null)}>
          ${sources.map(({ checkpoint, title }) => html`<option value=${checkpoint ?? ""}>${title}</option>`)}
        </select>
      </label>
      ${known.numbers.length > 1 &&
      html`
        <label>
          Number format
          <select value=${numbers.value} onChange=${(/** @type {Event} */ event) => (numbers.value = /** @type {any} */ (value(event)))}>
            ${known.numbers.map(([name, title]) => html`<option value=${name}>${title}</option>`)}
          </select>
        </label>
      `}
      <button class="button" type="submit"><${Icon} name="download" /> Export</button>
      <${ErrorNotice} error=${error.value} />
    </form>
  `;
}

/** @param {{ id: string, one: Export, onChange: () => Promise<void> }} props */
function Row({ id, one, onChange }) {
  const task = useTask();
  useEffect(() => {
    if (one.status === "running") void task.start((signal) => followExport(id, one.name, signal)).then(onChange);
  }, [one.name, one.status]);

  const now = /** @type {Export} */ (task.progress.value ?? one);
  const remove = async () => {
    await deleteExport(id, one.name);
    await onChange();
  };
  if (one.status === "running") {
    return html`
      <li>
        <h3>${titleOf(one)}</h3>
        <div class="export-progress">
          <${Progress} share=${now.share ?? 0} label=${`Export: ${titleOf(one)}`} />
          <button type="button" class="button" onClick=${remove}><${Icon} name="stop" /> Stop</button>
        </div>
        <p class="muted" aria-live="polite">${now.text}</p>
      </li>
    `;
  }
  return html`
    <li>
      <h3>${titleOf(one)}</h3>
      ${one.status === "failed"
        ? html`<${ErrorNotice} error=${{ message: one.error ?? "It failed.", hint: one.hint }} />`
        : html`<${Verdict} one=${one} />`}
      <div class="actions">
        ${one.status === "done" &&
        html`
          <a class="button" href=${exportPath(id, one.name, "download.zip")} download>
            <${Icon} name="download" /> Download ${format.bytes(one.bytes ?? 0)}
          </a>
        `}
        <${ConfirmButton} question="Delete this export?" confirm="Delete" cancel="Keep" onConfirm=${remove}>
          <${Icon} name="trash" /> Delete
        <//>
      </div>
      ${one.status === "done" && html`<${Upload} id=${id} name=${one.name} />`}
    </li>
  `;
}

/** Puts it on the hub. The token is sent, and kept nowhere. @param {{ id: string, name: string }} props */
function Upload({ id, name }) {
  const repository = useSignal("");
  const token = useSignal("");
  const isPrivate = useSignal(true);
  const task = useTask();
  const start = (/** @type {Event} */ event) => {
    event.preventDefault();
    const wanted = { repository: repository.value.trim(), private: isPrivate.value, token: token.value || null };
    void task.start((signal) => pushExport(id, name, wanted, signal));
  };
  const typed = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;
  const result = /** @type {{ url: string } | null} */ (task.result.value);
  return html`
    <details>
      <summary>Upload to the Hugging Face hub</summary>
      <form class="export-order" onSubmit=${start}>
        <label>
          Repository
          <input
            type="text"
            required
            placeholder="owner/name"
            value=${repository.value}
            onInput=${(/** @type {Event} */ event) => (repository.value = typed(event))}
          />
        </label>
        <label>
          Token, if the server has none
          <input
            type="password"
            autocomplete="off"
            value=${token.value}
            onInput=${(/** @type {Event} */ event) => (token.value = typed(event))}
          />
        </label>
        <${Check} label="Private" on=${isPrivate.value} onChange=${(/** @type {boolean} */ on) => (isPrivate.value = on)} />
        ${task.busy.value
          ? html`<button type="button" class="button" onClick=${task.cancel}><${Icon} name="stop" /> Stop</button>`
          : html`<button type="submit" class="button"><${Icon} name="upload" /> Upload</button>`}
        ${task.busy.value && html`<p class="muted" aria-live="polite">${/** @type {any} */ (task.progress.value)?.text ?? "Starting."}</p>`}
        <${ErrorNotice} error=${task.error.value} />
        ${result && !task.busy.value && html`<${Notice} tone="good">It is on the hub: ${result.url}<//>`}
      </form>
    </details>
  `;
}

/** @param {{ one: Export }} props */
function Verdict({ one }) {
  const verdict = verdictOf(one);
  if (!verdict) return null;
  return html`
    <${Notice} tone=${verdict.tone} title=${verdict.title}>
      ${verdict.text}
      ${verdict.problems.length > 0 && html`<ul>${verdict.problems.map((problem) => html`<li key=${problem}>${problem}</li>`)}</ul>`}
    <//>
    <${Notes} notes=${one.proof?.notes ?? []} />
  `;
}
