/**
 * @import { ApiError } from "../api.js"
 * @import { Dataset } from "../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { uploadDataset } from "../api.js";
import { Icon } from "./icon.js";
import { ErrorNotice } from "./notice.js";
import { Progress } from "./progress.js";

/**
 * Choose or drop a text file; shows how far it is and what was wrong with it.
 *
 * @param {{ onUploaded: (dataset: Dataset) => void }} props
 */
export function Upload({ onUploaded }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const share = useSignal(/** @type {number | null} */ (null));
  const name = useSignal("");
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const over = useSignal(false);

  const upload = async (/** @type {File | undefined} */ file) => {
    if (!file || share.value !== null) return;
    share.value = 0;
    name.value = file.name;
    error.value = null;
    try {
      onUploaded(await uploadDataset(file, (sent) => (share.value = sent)));
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    share.value = null;
    if (input.current) input.current.value = ""; // so that the same file can be chosen again once it is mended
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    over.value = false;
    upload(event.dataTransfer?.files[0]);
  };
  const drag = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    over.value = true;
  };

  return html`
    <div class="upload ${over.value ? "over" : ""}" onDragOver=${drag} onDragLeave=${() => (over.value = false)} onDrop=${drop}>
      ${share.value === null
        ? html`
            <button type="button" class="button" onClick=${() => input.current?.click()}>
              <${Icon} name="upload" />Upload a text file
            </button>
            <span class="muted">.txt, UTF-8, one example per line. You can also drop it here.</span>
          `
        : html`
            <span>${share.value < 1 ? `Sending ${name.value}` : `Checking ${name.value}`}</span>
            <${Progress} share=${share.value < 1 ? share.value : null} label=${`Uploading ${name.value}`} />
          `}
      <input
        ref=${input}
        type="file"
        accept=".txt,text/plain"
        aria-label="Text file to upload"
        hidden
        onChange=${(/** @type {Event} */ event) => upload(/** @type {HTMLInputElement} */ (event.target).files?.[0])}
      />
      <${ErrorNotice} error=${error.value} />
    </div>
  `;
}
