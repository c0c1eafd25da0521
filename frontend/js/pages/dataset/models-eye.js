/**
 * The dataset as a chosen model sees it: figures in tokens, and any row token by token.
 *
 * @import { Config, Dataset, Model, Reading } from "../../types.js"
 * @import { Wanted } from "../../components/data/token-view.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { ModelOptions } from "../../components/models/model-control.js";
import { ErrorNotice } from "../../components/notice.js";
import { TokenView } from "../../components/data/token-view.js";
import { isSame } from "../../stores/data/reading.js";
import { StatisticsCard } from "./statistics.js";

/** @param {{ dataset: Dataset, reading: Reading }} props reading: as it is being chosen */
export function ModelsEye({ dataset, reading }) {
  const models = useSignal(/** @type {Model[] | null} */ (null));
  const model = useSignal("");
  const longest = useSignal("");
  const byGroup = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const wanted = useSignal(/** @type {Wanted} */ ({}));
  const tokens = useRef(/** @type {HTMLElement | null} */ (null));

  useEffect(() => {
    Promise.all([api.listModels(), api.getConfigSchema()]).then(
      ([{ items }, { schema }]) => {
        models.value = items.filter((each) => each.trainable);
        model.value = schema.properties.model_name.default;
      },
      (reason) => (error.value = reason),
    );
  }, []);

  const show = (/** @type {number} */ row) => {
    wanted.value = { rows: [row] };
    tokens.current?.scrollIntoView({ block: "start" });
  };
  if (error.value) return html`<${ErrorNotice} error=${error.value} />`;
  if (!models.value) return null;
  return html`
    <section class="card models-eye" aria-labelledby="eye-title">
      <div class="card-head"><h2 id="eye-title">What a model sees</h2></div>
      <div class="eye-settings">
        <label class="stacked">
          <span>Model</span>
          <select value=${model.value} onChange=${(/** @type {Event} */ event) => (model.value = textOf(event))}>
            <${ModelOptions} models=${models.value} />
          </select>
        </label>
        <label class="stacked">
          <span>Max length, in tokens</span>
          <input
            type="text"
            inputmode="numeric"
            class="number"
            autocomplete="off"
            placeholder="the model's usual"
            value=${longest.value}
            onInput=${(/** @type {Event} */ event) => (longest.value = textOf(event))}
          />
        </label>
      </div>
      <${StatisticsCard}
        dataset=${dataset}
        model=${model.value}
        longest=${longest.value.trim()}
        byGroup=${byGroup}
        onRow=${show}
      />
      <section class="eye-tokens" ref=${tokens} aria-labelledby="tokens-title">
        <h3 id="tokens-title">Token by token</h3>
        <${TokenView}
          dataset=${dataset.id}
          config=${{ ...configOf(model.value, longest.value.trim()), split_by_group: byGroup.value }}
          reading=${isSame(reading, dataset.reading) ? undefined : reading}
          wanted=${wanted}
        />
      </section>
    </section>
  `;
}

/** @param {Event} event */
const textOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {string} model @param {string} longest what is no number is passed on: the server says so @returns {Config} */
function configOf(model, longest) {
  const number = Number(longest);
  return { model_name: model, ...(longest ? { max_length: Number.isFinite(number) ? number : longest } : {}) };
}
