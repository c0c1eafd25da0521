/**
 * What holds for all charts of a run.
 *
 * @import { ChartView } from "../../../charts/view.js"
 * @import { ForkWish } from "../../../stores/fork.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 */
import { html } from "htm/preact";
import { Icon } from "../../../components/icon.js";
import { ErrorNotice } from "../../../components/notice.js";
import { Segmented } from "../../../components/segmented.js";
import * as format from "../../../format.js";
import { placeText } from "../../../stores/findings.js";
import { nearestBefore, forkSteps } from "../../../stores/fork.js";
import { X_SCALES } from "../../../charts/x-scale.js";

/** @type {[string, string][]} */
const AXES = Object.entries(X_SCALES).map(([axis, { title }]) => [axis, title]);
/** @type {[string, string][]} */
const SCALES = [
  ["linear", "Linear"],
  ["log", "Log"],
];

/** @param {{ store: RunStore, view: ChartView, onFork: (wish: ForkWish) => void }} props */
export function Toolbar({ store, view, onFork }) {
  const { x, log, smooth } = view.choices.value;
  const range = view.range.value;
  const slide = (/** @type {Event} */ event) => view.choose({ smooth: Number(/** @type {HTMLInputElement} */ (event.target).value) });
  return html`
    <div class="chart-tools" role="group" aria-label="All charts">
      <${Segmented} label="What the charts run along" name="chart-x" options=${AXES} value=${x} onChange=${(/** @type {any} */ axis) => view.choose({ x: axis })} />
      <${Segmented}
        label="Scale of the values"
        name="chart-y"
        options=${SCALES}
        value=${log ? "log" : "linear"}
        onChange=${(/** @type {string} */ scale) => view.choose({ log: scale === "log" })}
      />
      <label class="smoothing">
        <span>Smoothing</span>
        <input type="range" min="0" max="0.99" step="0.01" value=${smooth} onInput=${slide} />
        <output>${smooth.toFixed(2)}</output>
      </label>
      <button class="button small push" type="button" disabled=${!range} onClick=${() => view.show(null)}>
        <${Icon} name="again" />Reset zoom
      </button>
      <p class="muted chart-range">
        ${range ? `Steps ${format.count(range.from)} to ${format.count(range.to)}` : "The whole run. Drag across a chart to zoom in."}
      </p>
      <${Marked} view=${view} />
      <${Pinned} store=${store} view=${view} onFork=${onFork} />
      ${store.zoom.error.value && html`<${ErrorNotice} error=${store.zoom.error.value} />`}
    </div>
  `;
}

/** What is shaded, and how it is taken away. @param {{ view: ChartView }} props */
function Marked({ view }) {
  const span = view.marked.value;
  if (!span) return null;
  return html`
    <p class="chart-note" role="status">
      <span class="chart-note-key" data-kind="band"></span>Shaded: ${span.title}, ${placeText({ from_step: span.from, step: span.to })}
      <button class="icon-button" type="button" aria-label="Take the shading away" onClick=${() => view.mark(null)}><${Icon} name="cross" /></button>
    </p>
  `;
}

/** The pin, and going on from there. @param {{ store: RunStore, view: ChartView, onFork: (wish: ForkWish) => void }} props */
function Pinned({ store, view, onFork }) {
  const step = view.pinned.value;
  if (step === null) return null;
  const from = nearestBefore(forkSteps(store.checkpoints.value), step);
  const place = from === null ? "the start" : `the checkpoint of step ${format.count(from)}`;
  return html`
    <p class="chart-note" role="status">
      <span class="chart-note-key" data-kind="pin"></span>Step ${format.count(step)}
      <button class="button small" type="button" title=${`From ${place}`} onClick=${() => onFork({ step: from, changes: {} })}>
        <${Icon} name="fork" />Go on from here with …
      </button>
      <button class="icon-button" type="button" aria-label="Take the pin away" onClick=${() => (view.pinned.value = null)}><${Icon} name="cross" /></button>
    </p>
  `;
}
