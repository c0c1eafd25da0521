/**
 * One prompt at each checkpoint of a run, and a slider over the answers.
 *
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 * @import { Stop } from "../../stores/playground/sweep.js"
 */
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { Progress } from "../../components/progress.js";
import * as format from "../../format.js";
import { Sweep } from "../../stores/playground/sweep.js";
import { AnswerText } from "./answer.js";
import { ShowProbabilities } from "./composer.js";

/** @param {{ store: PlaygroundStore, run: string | null }} props the run that the link asked for */
export function Checkpoints({ store, run }) {
  const sweep = useMemo(() => new Sweep(), []);
  const runs = new Map((store.listed.value ?? []).flatMap((model) => (model.run ? [[model.run, store.nameOf(`run:${model.run}`)]] : [])));
  useEffect(
    () => () => {
      sweep.cancel();
      store.instead.value = null;
    },
    [],
  );
  useEffect(() => {
    store.instead.value = sweep.stops.value.at(-1)?.model ?? null;
  }, [sweep.stops.value]);
  useEffect(() => {
    const first = run ?? store.find(store.models.value[0])?.run ?? runs.keys().next().value;
    if (first && !sweep.run.value) sweep.choose(first);
  }, [store.listed.value]);

  const stops = sweep.stops.value;
  const chat = store.form.value === "chat";
  const start = (/** @type {Event} */ event) => {
    event.preventDefault();
    sweep.start(store.requestsFor(store.draft.value));
  };
  return html`
    <form class="composer" onSubmit=${start}>
      <label class="stacked">
        <span>Run</span>
        <select value=${sweep.run.value} onChange=${(/** @type {Event} */ event) => sweep.choose(valueOf(event))}>
          ${!runs.has(sweep.run.value) && html`<option value=${sweep.run.value}>${sweep.run.value}</option>`}
          ${[...runs].map(([id, name]) => html`<option value=${id}>${name}</option>`)}
        </select>
      </label>
      <label class="stacked">
        <span>${chat ? "Message" : "Prompt"}</span>
        <textarea
          rows="3"
          placeholder=${chat ? "One question, asked at every checkpoint" : "A text to go on from, such as: Once upon a time"}
          value=${store.draft.value}
          onInput=${(/** @type {Event} */ event) => (store.draft.value = valueOf(event))}
        />
      </label>
      <div class="actions">
        ${sweep.going.value
          ? html`<button type="button" class="button" onClick=${() => sweep.cancel()}><${Icon} name="stop" />Stop</button>`
          : html`<button class="button primary" disabled=${stops.length === 0}>Ask ${format.count(stops.length)} checkpoints</button>`}
        <${ShowProbabilities} store=${store} />
        <span class="muted" role="status">${sweep.going.value && `${format.count(sweep.done.value)} of ${format.count(stops.length)} have answered`}</span>
      </div>
      ${sweep.going.value && html`<${Progress} share=${sweep.done.value / stops.length} label="Checkpoints that have answered" />`}
    </form>
    <${ErrorNotice} error=${sweep.error.value} />
    ${stops.length > 0 && html`<${Slider} store=${store} sweep=${sweep} />`}
  `;
}

/** @param {{ store: PlaygroundStore, sweep: Sweep }} props */
function Slider({ store, sweep }) {
  const stops = sweep.stops.value;
  const { step, kind, validation_loss: loss, answer } = stops[sweep.at.value];
  const where = `Step ${format.count(step)}${kind === "final" ? ", final" : ""}${loss == null ? "" : `, validation loss ${format.loss(loss)}`}`;
  return html`
    <section class="card sweep" aria-label="Answers by checkpoint">
      <label class="stacked">
        <span class="sweep-where">${where}</span>
        <input
          type="range"
          min="0"
          max=${stops.length - 1}
          step="1"
          aria-label="Checkpoint"
          aria-valuetext=${where}
          value=${sweep.at.value}
          onInput=${(/** @type {Event} */ event) => (sweep.at.value = Number(valueOf(event)))}
        />
      </label>
      <ol class="sweep-marks" aria-hidden="true">
        ${stops.map((stop, place) => html`<li data-state=${stateOf(stop)} data-here=${place === sweep.at.value ? "" : undefined}>${format.short(stop.step)}</li>`)}
      </ol>
      ${answer.text.value || answer.busy
        ? html`<${AnswerText} key=${step} answer=${answer} prompt=${store.form.value === "prompt" ? store.draft.value : ""} probabilities=${store.probabilities.value} name=${where} />`
        : html`<p class="muted">${answer.end.value ? "The model said nothing." : "Not asked yet."}</p>`}
      <${ErrorNotice} error=${answer.error.value} />
      <p class="muted">Drag, or use the arrow keys. All were asked with the same seed, so that what differs is what was learned.</p>
    </section>
  `;
}

/** @param {Stop} stop */
const stateOf = ({ answer }) => (answer.busy ? "busy" : answer.end.value ? "done" : answer.error.value ? "failed" : "waiting");

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;
