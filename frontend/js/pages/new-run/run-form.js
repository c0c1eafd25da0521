/**
 * The fields, and beside them what a run with them would take.
 *
 * @import { ApiError } from "../../server/requests.js"
 * @import { Config, Dataset, Preflight, Preset } from "../../types.js"
 * @import { ControlProps } from "../../components/field.js"
 * @import { FormField, Typed } from "../../stores/form.js"
 * @import { Loaded } from "../new-run.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { CopyButton } from "../../components/copy-button.js";
import { DatasetControl, OtherDataset } from "../../components/data/dataset-control.js";
import { DatasetList } from "../../components/data/dataset-list.js";
import { controlId, Field } from "../../components/field.js";
import { ModelControl } from "../../components/models/model-control.js";
import { entriesOf } from "../../stores/data/dataset-list.js";
import { curlOf, isShown, payloadOf, summaryOf, typedFrom } from "../../stores/form.js";
import { ImportButton } from "./import-button.js";
import { PreflightCard } from "./preflight-card.js";
import { Presets } from "./presets.js";
import { Start } from "./start.js";
import { TokensCard } from "./tokens-card.js";
import { usePreflight } from "./use-preflight.js";
import { useSubmit } from "./use-submit.js";

const OPEN_GROUPS = ["essentials", "length"];

/** @param {{ loaded: Loaded, initial: Typed, onLeave: (draft: Typed | null) => void }} props */
export function RunForm({ loaded: { fields, groups, presets, models, datasets: known, devices, like }, initial, onLeave }) {
  const typed = useSignal(initial);
  const touched = useSignal(/** @type {string[]} */ ([]));
  const preset = useSignal("");
  const datasets = useSignal(known);
  const submission = useSubmit(like?.id ?? null);
  const payload = payloadOf(fields, typed.value);
  const preflight = usePreflight(payload);
  const foretold = preflight.error.value ? null : preflight.value.value;
  const wrong = wrongField(fields, submission.error.value, preflight.error.value, touched.value);

  useEffect(() => () => onLeave(submission.started.current ? null : typed.peek()), []);
  useEffect(() => {
    const field = fields.find((each) => each.name === fieldOf(submission.error.value));
    if (field) reveal(field.name);
  }, [submission.error.value]);

  const fill = (/** @type {Typed} */ values, /** @type {string[]} */ names) => {
    typed.value = values;
    touched.value = [...new Set([...touched.value, ...names])];
    submission.error.value = null;
  };
  const change = (/** @type {string} */ name, /** @type {string | boolean} */ value) => {
    typed.value = { ...typed.value, [name]: value };
    touched.value = [...new Set([...touched.value, name])];
    if (name === wrong?.field.name) preflight.error.value = null; // until the server has looked at it again
    if (name === wrong?.field.name || submission.error.value?.code === "does_not_fit") submission.error.value = null;
  };
  const choosePreset = (/** @type {Preset} */ chosen) => {
    // A starting point that names no data of its own is one for the data that is chosen.
    const { name, dataset } = typed.value;
    fill(typedFrom(fields, { name, dataset, ...chosen.config }), Object.keys(chosen.config));
    preset.value = chosen.id;
  };
  const take = (/** @type {Config} */ config) => {
    fill(typedFrom(fields, config), Object.keys(config));
    preset.value = "";
  };
  const useBatch = (/** @type {Record<string, number>} */ fitting) => {
    const values = Object.entries(fitting).map(([name, value]) => [name, String(value)]);
    fill({ ...typed.value, ...Object.fromEntries(values) }, Object.keys(fitting));
  };
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    submission.submit(payload, false);
  };

  /** @type {Record<string, (props: ControlProps) => unknown>} */
  const controls = {
    model_name: (props) => html`<${ModelControl} ...${props} models=${models} />`,
    dataset: (props) => html`
      <${DatasetControl}
        ...${props}
        datasets=${datasets.value}
        onUploaded=${(/** @type {Dataset} */ dataset) => (datasets.value = withDataset(datasets.value, dataset))}
      />
    `,
    mixture: (props) => html`
      <${DatasetList} ...${props} datasets=${datasets.value} not=${[typed.value.dataset, typed.value.validation_dataset]} shares />
    `,
    validation_dataset: (props) => html`<${OtherDataset} ...${props} datasets=${datasets.value} not=${typed.value.dataset} />`,
    evaluation_datasets: (props) => html`
      <${DatasetList} ...${props} datasets=${datasets.value} not=${[typed.value.dataset, ...mixedIn(typed.value)]} />
    `,
  };
  const fieldControl = (/** @type {FormField} */ field) => html`
    <${Field}
      key=${field.name}
      field=${field}
      value=${typed.value[field.name]}
      error=${field === wrong?.field ? sentenceOf(wrong.error) : null}
      warning=${warningFor(field, foretold)}
      control=${controls[field.name]}
      onChange=${(/** @type {string | boolean} */ value) => change(field.name, value)}
    />
  `;

  return html`
    <${Presets} presets=${presets} devices=${devices} chosen=${preset.value} onChoose=${choosePreset}>
      <${ImportButton} names=${fields.map((field) => field.name)} onConfig=${take} />
    <//>
    <form class="run-form" onSubmit=${send} novalidate>
      <div class="groups">
        ${groups.map((group) => {
          const members = fields.filter((field) => field.group === group.id && isShown(field, typed.value));
          return html`
            <${Group} key=${group.id} group=${group} fields=${members} typed=${typed.value}>${members.map(fieldControl)}<//>
            ${group.id === "essentials" &&
            html`<${TokensCard} key="tokens" dataset=${String(typed.value.dataset)} payload=${payload} />`}
          `;
        })}
      </div>
      <aside class="run-form-side" aria-label="Before the start">
        <${Start}
          submission=${submission}
          payload=${payload}
          preflight=${foretold}
          batchSize=${payload.batch_size ?? fields.find((field) => field.name === "batch_size")?.initial ?? null}
          wrong=${wrong?.field ?? null}
          onUse=${useBatch}
        />
        <${PreflightCard} preflight=${preflight} fields=${fields} onReveal=${reveal} />
        <${Curl} command=${curlOf(location.origin, payload)} />
      </aside>
    </form>
  `;
}

/** @param {{ command: string }} props */
function Curl({ command }) {
  return html`
    <details class="card fold">
      <summary><h2>The same run as curl</h2></summary>
      <div class="curl">
        <pre tabindex="0" aria-label="curl command">${command}</pre>
        <${CopyButton} text=${command} label="Copy" />
      </div>
    </details>
  `;
}

/** @param {Typed} typed @returns {string[]} ids */
const mixedIn = (typed) => entriesOf(String(typed.mixture), true).map(({ id }) => id);

/** @param {ApiError | null} error @returns {string | null} name of the field that it is about */
const fieldOf = (error) => (error?.status === 422 ? (error.field?.split(".")[0] ?? null) : null);

/**
 * The field that the server will not take: as it said on Start, or, of a field that was touched, as it said before.
 *
 * @param {FormField[]} fields
 * @param {ApiError | null} onStart
 * @param {ApiError | null} before
 * @param {string[]} touched
 * @returns {{ field: FormField, error: ApiError } | null}
 */
function wrongField(fields, onStart, before, touched) {
  const early = before && touched.includes(fieldOf(before) ?? "") ? before : null;
  const error = onStart ?? early;
  const field = fields.find((each) => each.name === fieldOf(error));
  return error && field ? { field, error } : null;
}

/** @param {ApiError} error */
function sentenceOf(error) {
  return [error.message, error.hint].filter(Boolean).join(" ");
}

/** @param {FormField} field @param {Preflight | null} preflight @returns {string | null} */
function warningFor(field, preflight) {
  return preflight?.problems.find((problem) => problem.field === field.name)?.message ?? null;
}

/** @param {Dataset[]} datasets @param {Dataset} added */
function withDataset(datasets, added) {
  return datasets.some((dataset) => dataset.id === added.id) ? datasets : [...datasets, added];
}

/** Bring a field into view, out of its fold if need be, and give it the focus. @param {string} name */
function reveal(name) {
  const control = document.getElementById(controlId(name));
  const fold = control?.closest("details");
  if (fold) fold.open = true;
  control?.scrollIntoView({ block: "center" });
  control?.focus({ preventScroll: true });
}

/** @param {{ group: { id: string, title: string }, fields: FormField[], typed: Typed, children: any }} props */
function Group({ group, fields, typed, children }) {
  if (OPEN_GROUPS.includes(group.id)) {
    return html`<section class="card group" aria-label=${group.title}><h2>${group.title}</h2>${children}</section>`;
  }
  return html`
    <details class="card group">
      <summary><h2>${group.title}</h2><span class="muted">${summaryOf(fields, typed) || "usual settings"}</span></summary>
      ${children}
    </details>
  `;
}
