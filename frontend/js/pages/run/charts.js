/**
 * Loss and learning rate over the steps, with one cursor for both.
 *
 * @import { Describe } from "../../chart.js"
 * @import { RunStore } from "../../run-store.js"
 * @import { Column, Series } from "../../series.js"
 * @import { Run } from "../../types.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Chart } from "../../chart.js";
import * as format from "../../format.js";
import { hasEnded } from "../../run-state.js";
import { horizon, lastNumber, smooth } from "../../series.js";

/** Weight of the curve before in the smoothed line: about the latest two or three points count. */
const SMOOTHING = 0.6;

const noPoints = { points: { show: false } };

/** Columns: highest and lowest of each point, smoothed mean, validation, and where loss was not a number. @type {Describe} */
const describeLoss = (color) => ({
  series: [
    {},
    { stroke: color("--chart-faint"), width: 1, ...noPoints },
    { stroke: color("--chart-faint"), width: 1, ...noPoints },
    { stroke: color("--chart-train"), width: 2, ...noPoints },
    {
      stroke: color("--chart-validation"),
      width: 2,
      points: { show: true, size: 8, width: 2, fill: color("--surface") },
    },
    { stroke: color("--bad"), paths: () => null, points: { show: true, size: 9, fill: color("--bad") } },
  ],
  bands: [{ series: [1, 2], fill: color("--chart-faint") }],
});

/** @type {Describe} */
const describeRate = (color) => ({
  series: [{}, { stroke: color("--chart-train"), width: 2, ...noPoints }],
});

/** @param {{ store: RunStore }} props */
export function Charts({ store }) {
  const { run, series } = store;
  const cursor = useSignal(/** @type {number | null} */ (null));
  const onCursor = (/** @type {number | null} */ index) => (cursor.value = index);
  const end = useComputed(() => {
    const { total_steps: total, status } = /** @type {Run} */ (run.value);
    return horizon(series.value.x.at(-1) ?? 0, total, !hasEnded(status));
  });
  const loss = useComputed(() => chartData(lossColumns(series.value), end.value, series.value));
  const rate = useComputed(() => chartData([series.value.lr], end.value, series.value));
  const empty = useComputed(() => series.value.x.length === 0);

  if (empty.value) return html`<${Waiting} store=${store} />`;
  return html`
    <section class="card">
      <div class="card-head"><h2>Loss</h2><${LossLegend} store=${store} cursor=${cursor} /></div>
      <${Chart} label="Training and validation loss by step" data=${loss} describe=${describeLoss} onCursor=${onCursor} />
    </section>
    <section class="card chart-small">
      <div class="card-head"><h2>Learning rate</h2><${RateLegend} store=${store} cursor=${cursor} /></div>
      <${Chart} label="Learning rate by step" data=${rate} describe=${describeRate} onCursor=${onCursor} />
    </section>
  `;
}

/** @param {Column[]} columns @param {number} end @param {Series} series @returns {import("../../chart.js").ChartData} */
function chartData(columns, end, series) {
  return { columns: [series.x, ...columns], end, newest: series.newest };
}

/** @param {Series} series @returns {Column[]} */
function lossColumns({ max, min, mean, validation }) {
  const marks = mean.map((value, i) => (value === null ? (lastNumber(mean, i) ?? 0) : undefined));
  return [max, min, smooth(mean, SMOOTHING), validation, marks];
}

/** @typedef {{ store: RunStore, cursor: import("@preact/signals").Signal<number | null> }} LegendProps */

/** Values under the cursor, or the latest. @param {LegendProps} props */
function LossLegend({ store, cursor }) {
  const { x, mean, validation } = store.series.value;
  const index = Math.min(cursor.value ?? Infinity, x.length - 1);
  const broken = mean.filter((value) => value === null).length;
  return html`
    <dl class="legend">
      ${broken > 0 && html`<div data-line="broken"><dt>Not a number</dt><dd>${format.count(broken)} times</dd></div>`}
      <div><dt>Step</dt><dd>${format.count(x[index])}</dd></div>
      <div data-line="train"><dt>Training</dt><dd>${mean[index] === null ? "not a number" : format.loss(mean[index])}</dd></div>
      <div data-line="validation"><dt>Validation</dt><dd>${format.loss(lastNumber(validation, index + 1))}</dd></div>
    </dl>
  `;
}

/** @param {LegendProps} props */
function RateLegend({ store, cursor }) {
  const { x, lr } = store.series.value;
  const index = Math.min(cursor.value ?? Infinity, x.length - 1);
  return html`
    <dl class="legend">
      <div><dt>Step</dt><dd>${format.count(x[index])}</dd></div>
      <div data-line="train"><dt>Rate</dt><dd>${format.number(lastNumber(lr, index + 1))}</dd></div>
    </dl>
  `;
}

/** In place of the charts until there is something to draw. @param {{ store: RunStore }} props */
function Waiting({ store }) {
  const status = useComputed(() => store.run.value?.status).value;
  const messages = store.messages.value.slice(-6);
  const headline = status === "queued" ? "Waiting for the device to be free" : "Getting ready";
  const ended = status !== undefined && hasEnded(status);
  return html`
    <section class="card waiting ${ended ? "" : "tall"}">
      <h2>${ended ? "Ended before the first step" : headline}</h2>
      <ul aria-live="polite">
        ${messages.map((message) => html`<li key=${message.cursor}>${message.text}</li>`)}
      </ul>
    </section>
  `;
}
