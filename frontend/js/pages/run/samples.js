/**
 * What the model wrote at each evaluation. The slider and the charts' cursor go together: pointing at a chart shows what it
 * wrote by then; what the slider chose is a line in the charts.
 *
 * @import { ChartView } from "../../charts/view.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Segmented } from "../../components/segmented.js";
import * as format from "../../format.js";
import { placeOf, promptsOf, sampleAt, sampledSteps } from "../../stores/samples.js";

const TAB_LENGTH = 24;

/** @param {{ store: RunStore, view: ChartView }} props */
export function Samples({ store, view }) {
  const chosen = useSignal(/** @type {string | null} */ (null));
  const samples = store.samples.value;
  const sampled = useComputed(() => sampledSteps(store.samples.value));
  const steps = sampled.value;
  const place = useComputed(() => placeOf(sampled.value, view.cursor.value ?? view.picked.value)).value;
  const prompts = promptsOf(samples);
  if (!steps.length) {
    return html`
      <section class="card" data-part="samples">
        <div class="card-head"><h2>What it writes</h2></div>
        <p class="muted">At every evaluation the model continues a prompt; it appears here.</p>
      </section>
    `;
  }
  const prompt = chosen.value !== null && prompts.includes(chosen.value) ? chosen.value : prompts[0];
  return html`
    <section class="card writes" data-part="samples">
      <div class="card-head">
        <h2>What it writes</h2>
        <span class="tag" data-sample-step=${steps[place]}>${nameOf(steps[place])}</span>
        ${view.picked.value !== null && html`<button class="button small push" type="button" onClick=${() => (view.picked.value = null)}>Newest</button>`}
      </div>
      ${prompts.length > 1 && html`
        <${Segmented} label="Prompt" name="prompt" options=${prompts.map(tabOf)} value=${prompt} onChange=${(/** @type {string} */ value) => (chosen.value = value)} />
      `}
      <${Written} sample=${sampleAt(samples, prompt, steps[place])} prompt=${prompt} />
      ${steps.length > 1 && html`<${Slider} steps=${steps} place=${place} view=${view} />`}
    </section>
  `;
}

/** @param {string} prompt @returns {[string, string]} */
function tabOf(prompt) {
  const line = prompt.replace(/\s+/g, " ").trim();
  return [prompt, line.length > TAB_LENGTH ? `${line.slice(0, TAB_LENGTH - 1)}…` : line || "(empty)"];
}

/** @param {number} step */
const nameOf = (step) => (step === 0 ? "before training" : `step ${format.count(step)}`);

/** @param {{ sample: import("../../types.js").Sample | null, prompt: string }} props */
function Written({ sample, prompt }) {
  return html`
    <p class="written" tabindex="0" aria-label="What it wrote">
      <span class="muted">${prompt}</span>${sample?.text ?? ""}
    </p>
  `;
}

/** @param {{ steps: number[], place: number, view: ChartView }} props */
function Slider({ steps, place, view }) {
  const slide = (/** @type {Event} */ event) => {
    view.cursor.value = null;
    view.picked.value = steps[Number(/** @type {HTMLInputElement} */ (event.target).value)];
  };
  return html`
    <label class="stacked">
      <span class="visually-hidden">Evaluation</span>
      <input
        type="range"
        min="0"
        max=${steps.length - 1}
        step="1"
        value=${place}
        aria-valuetext=${nameOf(steps[place])}
        onInput=${slide}
      />
      <span class="ends muted"><span>${nameOf(steps[0])}</span><span>${nameOf(steps[steps.length - 1])}</span></span>
    </label>
  `;
}
