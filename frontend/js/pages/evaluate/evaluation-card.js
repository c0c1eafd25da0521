/**
 * One evaluation: how far it is, and its table.
 *
 * @import { Evaluation, EvaluationCell } from "../../types.js"
 * @import { Evaluations } from "../../stores/evaluate/evaluations.js"
 * @import { Measure } from "../../stores/evaluate/table.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { ConfirmButton } from "../../components/confirm-button.js";
import { CopyButton } from "../../components/copy-button.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice, Notes } from "../../components/notice.js";
import { Progress } from "../../components/progress.js";
import { Segmented } from "../../components/segmented.js";
import { count, duration, moment } from "../../format.js";
import { ApiError } from "../../server/requests.js";
import { bestOn, cellAt, csvOf, isUnfinished, markdownOf, MEASURES, remarksOf, standingOf } from "../../stores/evaluate/table.js";

/** @param {{ evaluation: Evaluation, store: Evaluations }} props */
export function EvaluationCard({ evaluation, store }) {
  const measure = useSignal(MEASURES[0].key);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const shown = /** @type {Measure} */ (MEASURES.find(({ key }) => key === measure.value));
  const attempt = async (/** @type {Promise<void>} */ work) => {
    error.value = null;
    try {
      await work;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  };
  const { id, cells, progress, limit } = evaluation;
  const title = `Evaluation of ${moment(evaluation.created_at, new Date())}`;
  return html`
    <article class="card evaluation" data-evaluation=${id} data-status=${evaluation.status} aria-label=${title}>
      <div class="card-head">
        <h2>${title}</h2>
        <span class="muted" role="status">${standingOf(evaluation)}</span>
        ${limit !== null && html`<span class="tag">first ${count(limit)} rows</span>`}
        <div class="actions push">
          ${isUnfinished(evaluation) &&
          html`<button type="button" class="button small" onClick=${() => attempt(store.stop(id))}><${Icon} name="stop" />Stop</button>`}
          <${ConfirmButton} question="Delete this evaluation?" confirm="Delete" cancel="Keep" onConfirm=${() => attempt(store.remove(id))}>
            <${Icon} name="trash" />Delete
          <//>
        </div>
      </div>
      <${ErrorNotice} error=${error.value} />
      ${progress &&
      html`
        <${Progress} share=${progress.share} label="Progress of the evaluation" />
        <p class="facts"><span>${nameIn(evaluation.models, progress.model)}</span><span>${progress.text}</span></p>
      `}
      ${cells.length > 0 &&
      html`
        <${Segmented}
          label="What the table shows"
          name=${`measure-${id}`}
          options=${MEASURES.map(({ key, label }) => [key, label])}
          value=${measure.value}
          onChange=${(/** @type {Measure["key"]} */ key) => (measure.value = key)}
        />
        <p class="field-help">${shown.help}</p>
        <${Table} evaluation=${evaluation} measure=${shown} />
        <${Notes} notes=${remarksOf(evaluation)} />
        <div class="actions">
          <${CopyButton} text=${csvOf(evaluation)} label="Copy as CSV" />
          <${CopyButton} text=${markdownOf(evaluation, shown)} label="Copy as Markdown" />
        </div>
      `}
    </article>
  `;
}

/** @param {Evaluation["models"]} names @param {string} id */
const nameIn = (names, id) => names.find((each) => each.id === id)?.name ?? id;

/** @param {{ evaluation: Evaluation, measure: Measure }} props */
function Table({ evaluation, measure }) {
  const { models, datasets } = evaluation;
  const best = new Map(datasets.map(({ id }) => [id, bestOn(evaluation, measure.key, id)]));
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Scores">
      <table class="compare side-by-side narrow scores">
        <thead>
          <tr>
            <th scope="col">${measure.label}${measure.unit && html`<small>${measure.unit}</small>`}</th>
            ${datasets.map(({ id, name }) => html`<th key=${id} scope="col" title=${id}>${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${models.map(
            (model) => html`
              <tr key=${model.id}>
                <th scope="row" title=${model.id}>${model.name}</th>
                ${datasets.map(
                  ({ id }) => html`
                    <${Cell} key=${id} cell=${cellAt(evaluation, model.id, id)} measure=${measure} best=${best.get(id) === model.id} />
                  `,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{ cell: EvaluationCell | null, measure: Measure, best: boolean }} props */
function Cell({ cell, measure, best }) {
  if (!cell) return html`<td class="muted">not yet</td>`;
  const { scores, error, examples, seconds } = cell;
  if (!scores) return html`<td class="bad" title=${error?.message}>failed</td>`;
  const facts = `${count(scores.tokens)} tokens, ${count(scores.bytes)} bytes of ${count(examples)} examples in ${duration(seconds)}`;
  return html`
    <td title=${facts} data-best=${best ? "" : undefined}>
      ${best && html`<span class="tag">best</span> `}${measure.show(scores[measure.key])}
    </td>
  `;
}
