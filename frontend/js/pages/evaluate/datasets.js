/**
 * Models on datasets, in the background: what is asked for, and the evaluations there are.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Dataset, Model } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { ModelOptions } from "../../components/models/model-control.js";
import { ErrorNotice } from "../../components/notice.js";
import { PickList } from "../../components/pick-list.js";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { Evaluations } from "../../stores/evaluate/evaluations.js";
import { EvaluationCard } from "./evaluation-card.js";

const MOST = 20;

/**
 * @typedef {object} Props
 * @property {Model[]} models
 * @property {Signal<string[]>} chosen models
 * @property {Signal<string[]>} datasets chosen ones
 * @property {(id: string) => string} nameOf a model
 */

/** @param {Props} props */
export function DatasetsPart({ models, chosen, datasets, nameOf }) {
  const store = useMemo(() => new Evaluations(), []);
  const known = useSignal(/** @type {Dataset[]} */ ([]));
  const limit = useSignal("");
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  useEffect(() => {
    store.open();
    api.listDatasets().then(({ items }) => (known.value = items), (reason) => (error.value = reason));
    return () => store.close();
  }, []);

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    busy.value = true;
    error.value = null;
    try {
      const most = Number(limit.value);
      const rows = limit.value.trim() === "" ? null : Number.isFinite(most) ? most : limit.value; // the server judges it
      await store.start({ models: chosen.value, datasets: datasets.value, limit: rows });
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
    busy.value = false;
  };
  const runs = models.filter((model) => model.kind === "run");
  const dataName = (/** @type {string} */ id) =>
    known.value.find((each) => each.id === id)?.name ?? (id.startsWith("run:") ? `Validation split of ${nameOf(id)}` : id);
  const left = (/** @type {string} */ id) => !datasets.value.includes(id);
  const options = html`
    <optgroup label="All of a dataset">
      ${known.value.filter(({ id }) => left(id)).map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
    </optgroup>
    <optgroup label="What a run kept aside">
      ${runs.filter(({ id }) => left(id)).map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
    </optgroup>
  `;
  return html`
    <form class="evaluate-form" onSubmit=${submit}>
      <${PickList}
        label="Models"
        add=${chosen.value.length ? "Add a model…" : "Choose a model…"}
        chosen=${chosen.value}
        most=${MOST}
        nameOf=${nameOf}
        options=${html`<${ModelOptions} models=${models.filter((each) => !chosen.value.includes(each.id))} />`}
        onChange=${(/** @type {string[]} */ next) => (chosen.value = next)}
      />
      <${PickList}
        label="Datasets"
        add=${datasets.value.length ? "Add a dataset…" : "Choose a dataset…"}
        chosen=${datasets.value}
        most=${MOST}
        nameOf=${dataName}
        options=${options}
        onChange=${(/** @type {string[]} */ next) => (datasets.value = next)}
      />
      <label class="stacked">
        <span>Rows of each dataset, at most</span>
        <input
          type="text"
          inputmode="numeric"
          class="number"
          autocomplete="off"
          placeholder="all"
          value=${limit.value}
          aria-describedby="limit-help"
          onInput=${(/** @type {Event} */ event) => (limit.value = /** @type {HTMLInputElement} */ (event.target).value)}
        />
        <span class="field-help" id="limit-help">
          The first so many. A few hundred give a good idea within seconds. What a model has learned from, it finds too easy:
          a fair test is what a run kept aside.
        </span>
      </label>
      <div class="actions">
        <button class="button primary" disabled=${busy.value || chosen.value.length === 0 || datasets.value.length === 0}>
          Evaluate
        </button>
        <span class="muted">It goes on when you leave this page.</span>
      </div>
    </form>
    <${ErrorNotice} error=${error.value ?? store.error.value} />
    <div class="evaluations">
      ${store.items.value?.map((each) => html`<${EvaluationCard} key=${each.id} evaluation=${each} store=${store} />`)}
    </div>
  `;
}
