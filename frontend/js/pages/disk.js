/**
 * What takes the disk, and frees it.
 *
 * @import { DiskItem, DiskUsage } from "../types.js"
 * @import { ApiError } from "../server/requests.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as api from "../server/api.js";
import { ErrorNotice, Notice } from "../components/notice.js";
import * as format from "../format.js";
import { DiskTable } from "./disk/disk-table.js";
import { RetentionForm } from "./disk/retention-form.js";

/** @type {Record<DiskItem["kind"], string>} */
const KINDS = { run: "Runs", dataset: "Datasets", model: "Models", download: "Downloads", other: "All else" };

export function DiskPage() {
  const usage = useSignal(/** @type {DiskUsage | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const done = useSignal("");

  const load = async () => {
    try {
      usage.value = await api.getDisk();
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
  };
  useEffect(() => {
    document.title = "Disk · Trainboard";
    load();
  }, []);

  /** @param {() => Promise<string>} act what it did, in words */
  const change = async (act) => {
    error.value = null;
    done.value = "";
    try {
      done.value = await act();
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    await load();
  };
  const free = (/** @type {DiskItem} */ run) =>
    change(async () => {
      const freed = await api.freeCheckpoints(run.id);
      return `${format.bytes(freed.bytes)} of “${run.name}” are free: ${freed.checkpoints.join(", ")}.`;
    });
  const remove = (/** @type {DiskItem} */ item) =>
    change(async () => {
      await (item.kind === "run" ? api.deleteRun(item.id) : api.deleteDataset(item.id));
      return `“${item.name}” is deleted: ${format.bytes(item.bytes)}.`;
    });

  return html`
    <div class="page-head"><h1>Disk</h1></div>
    <${ErrorNotice} error=${error.value} />
    ${done.value && html`<${Notice} tone="good">${done.value}<//>`}
    ${!usage.value && !error.value && html`<p class="muted" role="status">Adding up what is there…</p>`}
    ${usage.value &&
    html`
      <${Summary} usage=${usage.value} />
      <${DiskTable} items=${usage.value.items} onFree=${free} onDelete=${remove} />
      <${RetentionForm} rules=${usage.value.retention} onSave=${(/** @type {DiskUsage["retention"]} */ rules) =>
        change(async () => {
          await api.putRetention(rules);
          return "That holds from now on.";
        })} />
    `}
  `;
}

/** @param {{ usage: DiskUsage }} props */
function Summary({ usage }) {
  const { items, data_bytes: data, free_bytes: free, disk_bytes: disk } = usage;
  const sums = Object.entries(KINDS).map(([kind, title]) => ({
    title,
    kind,
    bytes: items.filter((item) => item.kind === kind).reduce((sum, item) => sum + item.bytes, 0),
  }));
  return html`
    <p class="lead">
      Trainboard's data take ${format.bytes(data)}; ${format.bytes(free)} of ${format.bytes(disk)} on this disk are free.
    </p>
    <div class="disk-bar" aria-hidden="true">
      ${sums.map(({ kind, bytes }) => html`<span key=${kind} data-kind=${kind} style=${{ flexGrow: bytes }}></span>`)}
    </div>
    <dl class="disk-sums">
      ${sums.map(
        ({ kind, title, bytes }) =>
          bytes > 0 && html`<div key=${kind} data-kind=${kind}><dt>${title}</dt><dd>${format.bytes(bytes)}</dd></div>`,
      )}
    </dl>
  `;
}
