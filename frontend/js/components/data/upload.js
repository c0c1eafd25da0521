/**
 * @import { ApiError } from "../../server/requests.js"
 * @import { Dataset } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { uploadDataset } from "../../server/api.js";
import * as format from "../../format.js";
import { Icon } from "../icon.js";
import { ErrorNotice } from "../notice.js";
import { Progress } from "../progress.js";
import { useDrop } from "./use-drop.js";

const ACCEPTED = ".txt,.jsonl,.json,.csv,.tsv,.parquet,.gz";

/**
 * Choose or drop a file; shows how far it is and what was wrong with it. What stands within is part of the box.
 *
 * @param {{ onUploaded: (dataset: Dataset) => void, children?: import("preact").ComponentChildren }} props
 */
export function Upload({ onUploaded, children }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { upload, cancel, file, sent, error } = useUpload(onUploaded);
  const { over, handlers } = useDrop(upload);
  const choose = (/** @type {Event} */ event) => {
    const { files } = /** @type {HTMLInputElement} */ (event.target);
    if (files?.[0]) upload(files[0]);
    if (input.current) input.current.value = ""; // so that the same file can be chosen again once it is mended
  };

  return html`
    <div class="upload ${over ? "over" : ""}" ...${handlers}>
      ${children}
      ${file
        ? html`<${Sending} file=${file} sent=${sent} onCancel=${cancel} />`
        : html`
            <button type="button" class="button" onClick=${() => input.current?.click()}>
              <${Icon} name="upload" />Upload a file
            </button>
            <span class="muted">or drop it here: .txt, .jsonl, .json, .csv, .tsv, .parquet, or .gz of a text file</span>
          `}
      <input ref=${input} type="file" accept=${ACCEPTED} aria-label="File to upload" hidden onChange=${choose} />
      <${ErrorNotice} error=${error} />
    </div>
  `;
}

/** @param {{ file: File, sent: number, onCancel: () => void }} props sent: bytes */
function Sending({ file, sent, onCancel }) {
  const whole = sent >= file.size;
  const word = whole ? "Checking" : "Sending";
  return html`
    <div class="sending">
      <span role="status">${word} <bdi>${file.name}</bdi></span>
      <${Progress} share=${whole ? null : sent / file.size} label=${`${word} ${file.name}`} />
      <span class="muted">
        ${whole
          ? format.bytes(file.size)
          : `${format.bytes(sent)} of ${format.bytes(file.size)}, ${Math.floor((100 * sent) / file.size)}%`}
      </span>
      <button type="button" class="button small" onClick=${onCancel}>Cancel</button>
    </div>
  `;
}

/** One file at a time; leaving the page ends it. @param {(dataset: Dataset) => void} onUploaded */
function useUpload(onUploaded) {
  const file = useSignal(/** @type {File | null} */ (null));
  const sent = useSignal(0);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const aborter = useRef(/** @type {AbortController | null} */ (null));
  const cancel = () => aborter.current?.abort();
  useEffect(() => cancel, []);

  const upload = async (/** @type {File} */ chosen) => {
    if (file.value) return;
    const { signal } = (aborter.current = new AbortController());
    file.value = chosen;
    sent.value = 0;
    error.value = null;
    try {
      onUploaded(await uploadDataset(chosen, (bytes) => (sent.value = bytes), signal));
    } catch (reason) {
      if (!signal.aborted) error.value = /** @type {ApiError} */ (reason);
    }
    file.value = null;
  };
  return { upload, cancel, file: file.value, sent: sent.value, error: error.value };
}
