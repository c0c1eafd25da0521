/**
 * The form that starts a run, made from the configuration's schema.
 *
 * @import { ConfigSchema, Dataset, Model, Preset, Run, System } from "../types.js"
 * @import { FormField, Typed } from "../stores/form.js"
 *
 * @typedef {object} Loaded
 * @property {FormField[]} fields
 * @property {ConfigSchema["groups"]} groups
 * @property {Preset[]} presets
 * @property {Model[]} models that can be trained
 * @property {Dataset[]} datasets
 * @property {System["devices"]} devices
 * @property {Run | null} like the run to fill the form from
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as api from "../server/api.js";
import { ApiError } from "../server/requests.js";
import { ErrorNotice, Notice } from "../components/notice.js";
import { fieldsOf, typedFrom } from "../stores/form.js";
import { runLink } from "../router.js";
import { RunForm } from "./new-run/run-form.js";

/** What stood in the form when it was left, so that a look at a dataset costs nothing. @type {Typed | null} */
let draft = null;

/** @param {{ query: URLSearchParams }} props from: a run to start from; dataset: one to choose; split_by_group */
export function NewRunPage({ query }) {
  const loaded = useSignal(/** @type {Loaded | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));

  useEffect(() => {
    document.title = "New run · Trainboard";
    load(query.get("from"), (reason) => (error.value = reason)).then(
      (result) => (loaded.value = result),
      (reason) => (error.value = reason),
    );
  }, []);

  const like = loaded.value?.like;
  return html`
    <div class="page-head"><h1>New run</h1></div>
    <${ErrorNotice} error=${error.value} />
    ${like &&
    html`<${Notice} tone="plain">Filled in like <a href=${runLink(like.id)}>${like.name}</a>, all but the name.<//>`}
    ${loaded.value &&
    html`<${RunForm} loaded=${loaded.value} initial=${typedAtFirst(loaded.value, query)} onLeave=${keepDraft} />`}
  `;
}

/** @param {Typed | null} typed */
function keepDraft(typed) {
  draft = typed;
}

/** @param {Loaded} loaded @param {URLSearchParams} query */
function typedAtFirst({ fields, like }, query) {
  if (like) return typedFrom(fields, { ...like.config, name: null });
  const typed = draft ?? typedFrom(fields);
  const dataset = query.get("dataset");
  return dataset ? { ...typed, dataset, split_by_group: query.has("split_by_group") } : typed;
}

/**
 * @param {string | null} from
 * @param {(error: ApiError) => void} onNoRun the run to start from cannot be had
 * @returns {Promise<Loaded>}
 */
async function load(from, onNoRun) {
  const [{ schema, groups, presets }, models, datasets, system, like] = await Promise.all([
    api.getConfigSchema(),
    api.listModels(),
    api.listDatasets(),
    api.getSystem(),
    from === null ? null : api.getRun(from).catch((reason) => (onNoRun(reason), null)),
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
    devices: system.devices,
    like,
  };
}
