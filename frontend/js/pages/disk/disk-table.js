/** @import { DiskItem } from "../../types.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { ConfirmButton } from "../../components/confirm-button.js";
import { StatusBadge } from "../../components/status-badge.js";
import * as format from "../../format.js";
import { datasetLink, runLink } from "../../router.js";

const FEW = 50;

/**
 * The largest first.
 *
 * @param {object} props
 * @param {DiskItem[]} props.items
 * @param {(run: DiskItem) => Promise<void>} props.onFree
 * @param {(item: DiskItem) => Promise<void>} props.onDelete
 */
export function DiskTable({ items, onFree, onDelete }) {
  const all = useSignal(false);
  const shown = all.value ? items : items.slice(0, FEW);
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="What takes the disk">
      <table class="compare disk-table">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col" class="number">Size</th>
            <th scope="col" class="number of-it">Of it checkpoints</th>
            <th scope="col" class="free">Free it</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map((item) => html`<${Row} key=${item.kind + item.id} item=${item} onFree=${onFree} onDelete=${onDelete} />`)}
        </tbody>
      </table>
    </div>
    ${items.length > FEW &&
    !all.value &&
    html`<button type="button" class="button" onClick=${() => (all.value = true)}>Show all ${format.count(items.length)}</button>`}
  `;
}

/** @param {{ item: DiskItem, onFree: (run: DiskItem) => Promise<void>, onDelete: (item: DiskItem) => Promise<void> }} props */
function Row({ item, onFree, onDelete }) {
  const ended = item.kind !== "run" || item.ended_at !== null;
  return html`
    <tr>
      <th scope="row">
        ${nameOf(item)}
        <span class="disk-about">
          ${item.status && html`<${StatusBadge} status=${item.status} />`}
          ${item.archived && html`<span class="tag">archived</span>`}
          ${item.kind === "dataset" && html`<span class="tag">dataset</span>`}
          ${item.kind === "model" && html`<span class="tag">model</span>`}
        </span>
      </th>
      <td class="number">${format.bytes(item.bytes)}</td>
      <td class="number of-it">${item.checkpoints_bytes > 0 ? format.bytes(item.checkpoints_bytes) : ""}</td>
      <td><div class="disk-actions">
        ${item.freeable_bytes > 0 &&
        html`
          <${ConfirmButton}
            question="Delete all checkpoints but the best, and but the latest if it may go on?"
            confirm=${`Free ${format.bytes(item.freeable_bytes)}`}
            cancel="Keep"
            tone="small"
            onConfirm=${() => onFree(item)}
          >Free ${format.bytes(item.freeable_bytes)}<//>
        `}
        ${ended &&
        (item.kind === "run" || (item.kind === "dataset" && item.id !== "sample")) &&
        html`
          <${ConfirmButton}
            question=${item.kind === "run" ? "Delete the run with its model?" : "Delete this dataset?"}
            confirm="Delete"
            cancel="Keep"
            tone="small"
            onConfirm=${() => onDelete(item)}
          >Delete<//>
        `}
      </div></td>
    </tr>
  `;
}

/** @param {DiskItem} item */
function nameOf(item) {
  const link = { run: runLink, dataset: datasetLink }[/** @type {"run" | "dataset"} */ (item.kind)];
  return link ? html`<a href=${link(item.id)}><bdi>${item.name}</bdi></a>` : html`<bdi>${item.name}</bdi>`;
}
