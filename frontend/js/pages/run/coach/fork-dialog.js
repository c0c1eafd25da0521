/**
 * A new run that goes on from here with something changed: from where, what, what of this run is carried on, and Start.
 *
 * @import { FormField } from "../../../stores/form.js"
 * @import { ForkDraft, ForkWish } from "../../../stores/fork.js"
 * @import { Run } from "../../../types.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Field } from "../../../components/field.js";
import { useLatest } from "../../../components/hooks/use-latest.js";
import { Icon } from "../../../components/icon.js";
import { ErrorNotice } from "../../../components/notice.js";
import * as format from "../../../format.js";
import { runLink } from "../../../router.js";
import * as api from "../../../server/api.js";
import { ApiError } from "../../../server/requests.js";
import { fieldsOf, isShown } from "../../../stores/form.js";
import { carriedText, changesOf, draftOf, forkSteps } from "../../../stores/fork.js";

/** @param {{ store: RunStore, wish: ForkWish, onClose: () => void }} props */
export function ForkDialog({ store, wish, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const { value, error } = useLatest("schema", () => api.getConfigSchema());
  useEffect(() => dialog.current?.showModal(), []);
  const fields = useMemo(() => value.value && fieldsOf(value.value.schema).filter(({ name }) => name !== "name"), [value.value]);
  return html`
    <dialog ref=${dialog} class="edit fork" aria-labelledby="fork-title" onClose=${onClose}>
      <h2 id="fork-title">Fork this run</h2>
      <${ErrorNotice} error=${error.value} />
      ${fields && html`<${ForkForm} store=${store} fields=${fields} wish=${wish} onCancel=${() => dialog.current?.close()} />`}
    </dialog>
  `;
}

/** @param {{ store: RunStore, fields: FormField[], wish: ForkWish, onCancel: () => void }} props */
function ForkForm({ store, fields, wish, onCancel }) {
  const run = /** @type {Run} */ (store.run.peek());
  const draft = useSignal(useMemo(() => draftOf(fields, run.config, wish), []));
  const key = useMemo(() => api.idempotencyKey(), [JSON.stringify(draft.value)]);
  const busy = useSignal(false);
  const refused = useSignal(/** @type {ApiError | null} */ (null));
  const { step, names, typed } = draft.value;
  const changes = changesOf(fields, run.config, draft.value);
  const wanted = { step, changes };
  const preview = useLatest(JSON.stringify(wanted), (signal) => api.previewFork(run.id, wanted, signal));
  const wrong = refused.value ?? preview.error.value;
  const label = (/** @type {string} */ name) => fields.find((field) => field.name === name)?.label ?? name;
  const shown = names.map((name) => fields.find((field) => field.name === name)).filter((field) => field !== undefined);
  const steps = forkSteps(store.checkpoints.value);

  const change = (/** @type {Partial<ForkDraft>} */ some) => {
    draft.value = { ...draft.value, ...some };
    refused.value = null;
  };
  const start = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    try {
      location.hash = runLink((await api.forkRun(run.id, wanted, key)).id);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      refused.value = reason;
      busy.value = false;
    }
  };
  const errorOf = (/** @type {FormField} */ { name }) => (wrong?.field === name ? `${wrong.message} ${wrong.hint ?? ""}` : null);
  return html`
    <form onSubmit=${start} novalidate>
      <label class="stacked">
        <span>Go on from</span>
        <select aria-label="Go on from" value=${step ?? ""} onChange=${(/** @type {Event} */ event) => change({ step: numberOf(event) })}>
          <option value="">the start</option>
          ${steps.map((each) => html`<option key=${each} value=${each}>step ${format.count(each)}</option>`)}
        </select>
        ${steps.length === 0 && html`<span class="field-help">There is no checkpoint yet.</span>`}
      </label>
      <div class="fork-fields">
        ${shown.map(
          (field) => html`
            <${Field}
              key=${field.name}
              field=${field}
              value=${typed[field.name]}
              error=${errorOf(field)}
              control=${undefined}
              onChange=${(/** @type {string | boolean} */ value) => change({ typed: { ...typed, [field.name]: value } })}
            />
          `,
        )}
        <select
          aria-label="Change another setting"
          value=""
          onChange=${(/** @type {Event} */ event) => change({ names: [...names, valueAt(event)] })}
        >
          <option value="">Change another setting…</option>
          ${fields
            .filter((field) => !names.includes(field.name) && isShown(field, typed))
            .map(({ name, label: title }) => html`<option key=${name} value=${name}>${title}</option>`)}
        </select>
      </div>
      ${wrong && !shown.some((field) => field.name === wrong.field)
        ? html`<${ErrorNotice} error=${wrong} />`
        : html`
            <p class="fork-carried" role="status" data-state=${wrong ? "" : preview.value.value?.state}>
              <${Icon} name="info" />
              <span>${preview.value.value && !wrong ? carriedText(preview.value.value, label) : "A setting needs another look."}</span>
            </p>
          `}
      <div class="actions">
        <button class="button primary" disabled=${busy.value || preview.error.value !== null}>Start the fork</button>
        <button type="button" class="button" onClick=${onCancel}>Cancel</button>
      </div>
    </form>
  `;
}

/** @param {Event} event */
const valueAt = (event) => /** @type {HTMLSelectElement} */ (event.target).value;

/** @param {Event} event */
const numberOf = (event) => (valueAt(event) === "" ? null : Number(valueAt(event)));
