/**
 * The texts that runs learn from.
 *
 * @import { Dataset } from "../types.js"
 * @import { ApiError } from "../server/requests.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as api from "../server/api.js";
import { ConfirmButton } from "../components/confirm-button.js";
import { HubFetch } from "../components/data/hub-fetch.js";
import { ErrorNotice, Notes, Notice } from "../components/notice.js";
import { Upload } from "../components/data/upload.js";
import * as format from "../format.js";
import { formatOf, inWords, sizeOf } from "../stores/data/reading.js";
import { datasetLink, trainOnLink } from "../router.js";

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

  const take = (/** @type {Dataset} */ dataset) => {
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
    <p class="lead">
      A file of examples that a model learns from: lines of text, rows of a table, prompts with answers, or chats.
    </p>
    <div class="sources">
      <${Upload} onUploaded=${take} />
      <${HubFetch} onFetched=${take} />
    </div>
    ${added.value && html`<${Added} dataset=${added.value} />`}
    <${ErrorNotice} error=${error.value} />
    <ul class="cards">
      ${datasets.value?.map(
        (dataset) => html`<${DatasetCard} key=${dataset.id} dataset=${dataset} onDelete=${() => remove(dataset)} />`,
      )}
    </ul>
  `;
}

/** @param {{ dataset: Dataset }} props */
function Added({ dataset }) {
  return html`
    <${Notice} tone="good">
      <bdi>${dataset.name}</bdi> is ready: ${sizeOf(dataset)}, read as ${inWords(dataset)}.${" "}
      <a href=${datasetLink(dataset.id)}>See how it is read</a> or <a href=${trainOnLink(dataset.id)}>train on it</a>.
      <${Notes} notes=${dataset.notes} />
    <//>
  `;
}

/** @param {{ dataset: Dataset, onDelete: () => Promise<void> }} props */
function DatasetCard({ dataset, onDelete }) {
  return html`
    <li class="card">
      <div class="card-head">
        <h2><a href=${datasetLink(dataset.id)}><bdi>${dataset.name}</bdi></a></h2>
        ${dataset.built_in && html`<span class="tag">built in</span>`}
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
      <p class="facts">
        <span>${sizeOf(dataset)}</span><span>${format.bytes(dataset.bytes)}</span><span>${formatOf(dataset)}</span>
        <span>read as ${inWords(dataset)}</span>
        ${dataset.origin && html`<span>from the hub: ${dataset.origin}</span>`}
      </p>
    </li>
  `;
}
