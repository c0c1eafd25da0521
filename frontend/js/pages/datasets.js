/**
 * The texts that runs learn from.
 *
 * @import { Dataset, Preview } from "../types.js"
 * @import { ApiError } from "../api.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as api from "../api.js";
import { ConfirmButton } from "../components/confirm-button.js";
import { ErrorNotice, Notice } from "../components/notice.js";
import { Upload } from "../components/upload.js";
import * as format from "../format.js";

export function DatasetsPage() {
  const datasets = useSignal(/** @type {Dataset[] | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const added = useSignal(/** @type {Dataset | null} */ (null));

  const load = async () => {
    try {
      datasets.value = (await api.listDatasets()).items;
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
  };
  useEffect(() => {
    document.title = "Datasets · Trainboard";
    load();
  }, []);

  const uploaded = (/** @type {Dataset} */ dataset) => {
    added.value = dataset;
    load();
  };
  const remove = async (/** @type {Dataset} */ dataset) => {
    error.value = null;
    try {
      await api.deleteDataset(dataset.id);
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    if (added.value?.id === dataset.id) added.value = null;
    await load();
  };

  return html`
    <div class="page-head"><h1>Datasets</h1></div>
    <p class="lead">A dataset is a text file with one example per line. A model learns to continue text like it.</p>
    <${Upload} onUploaded=${uploaded} />
    ${added.value &&
    html`<${Notice} tone="good">${added.value.name} is ready: ${format.count(added.value.rows)} examples.<//>`}
    <${ErrorNotice} error=${error.value} />
    <ul class="cards">
      ${datasets.value?.map(
        (dataset) => html`<${DatasetCard} key=${dataset.id} dataset=${dataset} onDelete=${() => remove(dataset)} />`,
      )}
    </ul>
  `;
}

/** @param {{ dataset: Dataset, onDelete: () => Promise<void> }} props */
function DatasetCard({ dataset, onDelete }) {
  return html`
    <li class="card">
      <div class="card-head">
        <h2>${dataset.name}</h2>
        ${dataset.built_in && html`<span class="tag">built in</span>`}
        <span class="muted">${format.count(dataset.rows)} examples · ${format.bytes(dataset.bytes)}</span>
        <div class="push">
          ${!dataset.built_in &&
          html`
            <${ConfirmButton}
              question="Delete this dataset?"
              confirm="Delete"
              cancel="Keep"
              tone="small"
              onConfirm=${onDelete}
            >Delete<//>
          `}
        </div>
      </div>
      <${Rows} id=${dataset.id} />
    </li>
  `;
}

/** The first rows, fetched when unfolded. @param {{ id: string }} props */
function Rows({ id }) {
  const preview = useSignal(/** @type {Preview | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));

  const toggle = async (/** @type {Event} */ event) => {
    if (!(/** @type {HTMLDetailsElement} */ (event.target).open) || preview.value) return;
    try {
      preview.value = await api.previewDataset(id);
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
  };
  return html`
    <details class="fold" onToggle=${toggle}>
      <summary>Look inside</summary>
      <${ErrorNotice} error=${error.value} />
      ${preview.value &&
      html`
        <ol class="rows" tabindex="0" aria-label="First examples">
          ${preview.value.rows.map((row) => html`<li>${row}</li>`)}
        </ol>
        <p class="muted">The first ${preview.value.rows.length} of ${format.count(preview.value.total)} examples.</p>
      `}
    </details>
  `;
}
