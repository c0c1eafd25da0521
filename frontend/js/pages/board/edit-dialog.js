/**
 * @import { Run } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { ErrorNotice } from "../../components/notice.js";

/** What people say about a run, to be changed. @param {{ run: Run, onClose: () => void, onSaved: (run: Run) => void }} props */
export function EditDialog({ run, onClose, onSaved }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const busy = useSignal(false);

  useEffect(() => dialog.current?.showModal(), []);

  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    busy.value = true;
    try {
      onSaved(await api.changeRun(run.id, changeOf(form)));
      dialog.current?.close();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      busy.value = false;
    }
  };
  return html`
    <dialog ref=${dialog} class="edit" aria-labelledby="edit-title" onClose=${onClose}>
      <form onSubmit=${save}>
        <h2 id="edit-title">Edit run</h2>
        <label class="stacked"><span>Name</span><input name="name" required maxlength="120" defaultValue=${run.name} /></label>
        <label class="stacked">
          <span>Tags</span>
          <input name="tags" defaultValue=${run.tags.join(", ")} aria-describedby="edit-tags" />
          <span class="field-help" id="edit-tags">Separated by commas, such as: baseline, for the paper</span>
        </label>
        <label class="stacked"><span>Notes</span><textarea name="notes" rows="6" maxlength="10000" defaultValue=${run.notes}></textarea></label>
        <${ErrorNotice} error=${error.value} />
        <div class="actions">
          <button class="button primary" disabled=${busy.value}>Save</button>
          <button type="button" class="button" onClick=${() => dialog.current?.close()}>Cancel</button>
        </div>
      </form>
    </dialog>
  `;
}

/** @param {FormData} form */
function changeOf(form) {
  const tags = String(form.get("tags")).split(",");
  return {
    name: String(form.get("name")),
    tags: tags.map((tag) => tag.trim()).filter(Boolean),
    notes: String(form.get("notes")).replaceAll("\r\n", "\n"),
  };
}
