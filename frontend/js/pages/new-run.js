/**
 * The form that starts a run, made from the configuration's schema.
 *
 * @import { Config, ConfigSchema, Dataset, Model, Preset } from "../types.js"
 * @import { ControlProps } from "../components/field.js"
 * @import { FormField, Typed } from "../form.js"
 *
 * @typedef {object} Loaded
 * @property {FormField[]} fields
 * @property {ConfigSchema["groups"]} groups
 * @property {Preset[]} presets
 * @property {Model[]} models that can be trained
 * @property {Dataset[]} datasets
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import * as api from "../api.js";
import { CopyButton } from "../components/copy-button.js";
import { DatasetControl } from "../components/dataset-control.js";
import { controlId, Field } from "../components/field.js";
import { ModelControl } from "../components/model-control.js";
import { ErrorNotice } from "../components/notice.js";
import { curlOf, fieldsOf, isShown, payloadOf, summaryOf, typedFrom } from "../form.js";
import { runLink } from "../router.js";

const OPEN_GROUPS = ["essentials", "length"];

export function NewRunPage() {
  const loaded = useSignal(/** @type {Loaded | null} */ (null));
  const error = useSignal(/** @type {api.ApiError | null} */ (null));

  useEffect(() => {
    document.title = "New run · Trainboard";
    load().then(
      (result) => (loaded.value = result),
      (reason) => (error.value = reason),
    );
  }, []);

  return html`
    <div class="page-head"><h1>New run</h1></div>
    <${ErrorNotice} error=${error.value} />
    ${loaded.value && html`<${RunForm} loaded=${loaded.value} />`}
  `;
}

/** @returns {Promise<Loaded>} */
async function load() {
  const [{ schema, groups, presets }, models, datasets, system] = await Promise.all([
    api.getConfigSchema(),
    api.listModels(),
    api.listDatasets(),
    api.getSystem(),
  ]);
  const devices = ["auto", ...system.devices.map((device) => device.id)];
  /** @type {(field: FormField) => FormField} */
  const withDevices = (field) => (field.name === "device" ? { ...field, kind: "choice", options: devices } : field);
  return {
    fields: fieldsOf(schema).map(withDevices),
    groups,
    presets,
    models: models.items.filter((model) => model.trainable),
    datasets: datasets.items,
  };
}

/** @param {{ loaded: Loaded }} props */
function RunForm({ loaded: { fields, groups, presets, models, datasets: known } }) {
  const typed = useSignal(typedFrom(fields));
  const preset = useSignal("");
  const datasets = useSignal(known);
  const { busy, error, submit } = useSubmit();
  const payload = payloadOf(fields, typed.value);
  const wrong = fields.find((field) => field.name === error.value?.field?.split(".")[0]);

  useEffect(() => {
    if (wrong) reveal(controlId(wrong.name));
  }, [error.value]);

  const choosePreset = (/** @type {Preset} */ chosen) => {
    typed.value = typedFrom(fields, chosen.config);
    preset.value = chosen.id;
    error.value = null;
  };
  const change = (/** @type {string} */ name, /** @type {string | boolean} */ value) => {
    typed.value = { ...typed.value, [name]: value };
    if (name === wrong?.name) error.value = null;
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
  };
  const fieldOf = (/** @type {FormField} */ field) => html`
    <${Field}
      key=${field.name}
      field=${field}
      value=${typed.value[field.name]}
      error=${field === wrong ? sentenceOf(error.value) : null}
      control=${controls[field.name]}
      onChange=${(/** @type {string | boolean} */ value) => change(field.name, value)}
    />
  `;
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    submit(payload);
  };

  return html`
    <${Presets} presets=${presets} chosen=${preset.value} onChoose=${choosePreset} />
    <form class="run-form" onSubmit=${send} novalidate>
      <div class="groups">
        ${groups.map((group) => {
          const members = fields.filter((field) => field.group === group.id && isShown(field, typed.value));
          return html`<${Group} key=${group.id} group=${group} fields=${members} typed=${typed.value}>${members.map(fieldOf)}<//>`;
        })}
      </div>
      <aside class="card run-form-side">
        <button class="button primary large" disabled=${busy.value}>${busy.value ? "Starting…" : "Start training"}</button>
        ${wrong && html`<p class="field-error">One setting needs another look: ${wrong.label}.</p>`}
        ${!wrong && html`<${ErrorNotice} error=${error.value} />`}
        <div class="curl">
          <div class="card-head"><h2>The same run as curl</h2></div>
          <pre tabindex="0" aria-label="curl command">${curlOf(location.origin, payload)}</pre>
          <${CopyButton} text=${curlOf(location.origin, payload)} label="Copy" />
        </div>
      </aside>
    </form>
  `;
}

/** Posting, such that a double click or a lost answer makes one run. */
function useSubmit() {
  const busy = useSignal(false);
  const error = useSignal(/** @type {api.ApiError | null} */ (null));
  const attempt = useRef({ body: "", key: "" });

  const submit = async (/** @type {Config} */ payload) => {
    if (busy.value) return;
    const body = JSON.stringify(payload);
    if (attempt.current.body !== body) attempt.current = { body, key: api.idempotencyKey() };
    busy.value = true;
    error.value = null;
    try {
      const run = await api.createRun(payload, attempt.current.key);
      location.hash = runLink(run.id);
    } catch (reason) {
      error.value = /** @type {api.ApiError} */ (reason);
    }
    busy.value = false;
  };
  return { busy, error, submit };
}

/** @param {api.ApiError | null} error */
function sentenceOf(error) {
  return [error?.message, error?.hint].filter(Boolean).join(" ");
}

/** @param {Dataset[]} datasets @param {Dataset} added */
function withDataset(datasets, added) {
  return datasets.some((dataset) => dataset.id === added.id) ? datasets : [...datasets, added];
}

/** Bring a control into view, out of its fold if need be, and give it the focus. @param {string} id */
function reveal(id) {
  const control = document.getElementById(id);
  const fold = control?.closest("details");
  if (fold) fold.open = true;
  control?.scrollIntoView({ block: "center" });
  control?.focus({ preventScroll: true });
}

/** @param {{ presets: Preset[], chosen: string, onChoose: (preset: Preset) => void }} props */
function Presets({ presets, chosen, onChoose }) {
  return html`
    <p class="lead">Pick a starting point, then change what you like. Every setting has a sensible value already.</p>
    <section class="presets" aria-label="Starting points">
      ${presets.map(
        (preset) => html`
          <button type="button" class="preset" aria-pressed=${preset.id === chosen} onClick=${() => onChoose(preset)}>
            <strong>${preset.title}</strong>
            <span>${preset.description}</span>
          </button>
        `,
      )}
    </section>
  `;
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
