/**
 * One dataset: what it is, how it is read, what stands in it, and how the model will see it.
 *
 * @import { Dataset } from "../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as api from "../server/api.js";
import { ApiError } from "../server/requests.js";
import { ConfirmButton } from "../components/confirm-button.js";
import { Icon } from "../components/icon.js";
import { ErrorNotice } from "../components/notice.js";
import { Rename } from "../components/rename.js";
import { useLatest } from "../components/hooks/use-latest.js";
import * as format from "../format.js";
import { formatOf, sizeOf } from "../stores/data/reading.js";
import { trainOnLink } from "../router.js";
import { HardestRows } from "./dataset/hardest-rows.js";
import { ModelsEye } from "./dataset/models-eye.js";
import { ReadingCard } from "./dataset/reading-card.js";
import { Rows } from "./dataset/rows.js";
import { NotFoundPage } from "./not-found.js";

/** @param {{ id: string, query: URLSearchParams }} props query: run: the one whose hardest rows are shown */
export function DatasetPage({ id, query }) {
  const { value: dataset, error } = useLatest(id, (signal) => api.getDataset(id, signal));
  useEffect(() => {
    document.title = `${dataset.value?.name ?? "Dataset"} · Trainboard`;
  }, [dataset.value?.name]);

  if (error.value?.status === 404) return html`<${NotFoundPage} what="This dataset" />`;
  if (error.value) return html`<${ErrorNotice} error=${error.value} />`;
  if (!dataset.value) return null;
  const onChanged = (/** @type {Dataset} */ changed) => (dataset.value = changed);
  return html`<${DatasetView} dataset=${dataset.value} run=${query.get("run")} onChanged=${onChanged} />`;
}

/** @param {{ dataset: Dataset, run: string | null, onChanged: (dataset: Dataset) => void }} props */
function DatasetView({ dataset, run, onChanged }) {
  // The reading as it is being chosen; the tokens below follow it before it is saved.
  const reading = useSignal(dataset.reading);
  return html`
    <${Header} dataset=${dataset} onChanged=${onChanged} />
    <div class="dataset-cards">
      <${ReadingCard} dataset=${dataset} reading=${reading} onChanged=${onChanged} />
      <${Rows} dataset=${dataset} reading=${reading.value} />
      <${ModelsEye} dataset=${dataset} reading=${reading.value} />
      <${HardestRows} dataset=${dataset} wanted=${run} />
    </div>
  `;
}

/** @param {{ dataset: Dataset, onChanged: (dataset: Dataset) => void }} props */
function Header({ dataset, onChanged }) {
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const attempt = async (/** @type {() => Promise<void>} */ work) => {
    error.value = null;
    try {
      await work();
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
  };
  const rename = (/** @type {string} */ name) =>
    attempt(async () => onChanged(await api.changeDataset(dataset.id, { name })));
  const remove = () =>
    attempt(async () => {
      await api.deleteDataset(dataset.id);
      location.hash = "#/datasets";
    });
  return html`
    <header class="run-head">
      <div class="page-head">
        ${dataset.built_in
          ? html`<h1>${dataset.name}</h1><span class="tag">built in</span>`
          : html`<${Rename} name=${dataset.name} label="Name of the dataset" onRename=${rename} />`}
        <div class="actions push">
          <a class="button primary" href=${trainOnLink(dataset.id)}>Train on it</a>
          ${!dataset.built_in &&
          html`
            <${ConfirmButton} question="Delete this dataset?" confirm="Delete" cancel="Keep" onConfirm=${remove}>
              <${Icon} name="trash" />Delete
            <//>
          `}
        </div>
      </div>
      <p class="facts">
        <span>${sizeOf(dataset)}</span>
        ${dataset.empty_rows > 0 && html`<span>${emptyRows(dataset.empty_rows)} left out</span>`}
        <span>${format.bytes(dataset.bytes)}</span>
        <span>${formatOf(dataset)}</span>
        ${dataset.origin && html`<span>from the Hugging Face hub: ${dataset.origin}</span>`}
        <span>added ${format.moment(dataset.created_at, new Date())}</span>
      </p>
      <${ErrorNotice} error=${error.value} />
    </header>
  `;
}

/** @param {number} rows */
const emptyRows = (rows) => (rows === 1 ? "1 empty row" : `${format.count(rows)} empty rows`);
