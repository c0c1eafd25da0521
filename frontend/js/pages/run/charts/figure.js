/**
 * One chart with its title, its values under the cursor, and what can be done with it.
 *
 * @import { Actions } from "../../../charts/chart.js"
 * @import { ChartView } from "../../../charts/view.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 * @import { Series } from "../../../charts/series.js"
 * @import { Figure, Line } from "./figures.js"
 * @import { Scene } from "./scene.js"
 *
 * @typedef {{ figure: Figure, store: RunStore, view: ChartView, scene: Scene }} FigureProps
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { useMemo, useRef } from "preact/hooks";
import { KEYS_HELP } from "../../../charts/keys.js";
import { bandPlugin, brokenPlugin, marksPlugin } from "../../../charts/marks.js";
import { Chart } from "../../../charts/chart.js";
import { Icon } from "../../../components/icon.js";
import { LearnLink } from "../../../components/learn-link.js";
import * as format from "../../../format.js";
import { lastNumber } from "../../../charts/series.js";
import { rangeOf, zoomed } from "../../../charts/view-link.js";
import { X_SCALES } from "../../../charts/x-scale.js";
import { CHARTS } from "../../../stores/learn/links.js";
import { columnsOf, describe, lookOf } from "./figures.js";
import { saveNumbers, savePicture } from "./save.js";
import { useFullScreen } from "./use-full-screen.js";

/** @param {FigureProps} props */
export function FigureCard({ figure, store, view, scene }) {
  const { shown, xs, window } = scene;
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  const full = useFullScreen(card);
  const choices = useComputed(() => view.choices.value);
  const { x, log } = choices.value;
  const data = useComputed(() => ({
    columns: /** @type {uPlot.AlignedData} */ ([xs.value, ...columnsOf(figure, shown.value, view.choices.value.smooth)]),
    ...window.value,
    newest: shown.value.newest,
  }));
  const broken = useComputed(() => xs.value.filter((_, i) => figure.lines.some(({ key }) => shown.value.bands[key].mean[i] === null)));
  const lines = useMemo(() => describe(figure), [figure]);
  const look = useMemo(() => ({ ...lookOf(figure, log), x: X_SCALES[x] }), [figure, log, x]);
  const plugins = useMemo(() => [bandPlugin(scene.band), marksPlugin(scene.marks, scene.ruler), brokenPlugin(broken)], []);
  const actions = useMemo(() => actionsOf(store, view, scene), []);
  const label = `${figure.title} by ${X_SCALES[x].unit}. ${KEYS_HELP}`;

  const speak = (/** @type {KeyboardEvent} */ event) => {
    if (event.key.startsWith("Arrow")) view.spoken.value = [valuesAt(figure, shown.peek(), scene.row.peek()), ...marksAt(scene)].join(". ");
  };
  const file = () => `${store.run.peek()?.name ?? store.id} ${figure.title}`.replace(/[^\w.-]+/g, "-").toLowerCase();
  const picture = () => {
    const canvas = card.current?.querySelector("canvas");
    const note = `${store.run.peek()?.name} · ${valuesAt(figure, shown.peek(), scene.row.peek())}`;
    if (canvas) savePicture(canvas, { title: titleOf(figure), note, name: file() });
  };
  return html`
    <section
      class="card figure ${full.over.value ? "figure-over" : ""}"
      data-figure=${figure.id}
      ref=${card}
      aria-label=${figure.title}
      onKeyUp=${speak}
      onKeyDownCapture=${full.onKey}
    >
      <div class="figure-head">
        <h2>${figure.title}</h2>
        ${figure.unit && html`<span class="muted">${figure.unit}</span>`}
        <${LearnLink} page=${CHARTS[figure.id]} what=${figure.title} says=${figure.help} />
        <div class="figure-tools">
          <${Tool} icon=${full.active.value ? "shrink" : "grow"} title=${full.active.value ? "Leave full screen" : "Full screen"} figure=${figure} onClick=${full.toggle} />
          <${Tool} icon="picture" title="Save as PNG" figure=${figure} onClick=${picture} />
          <${Tool} icon="table" title="Save as CSV" figure=${figure} onClick=${() => saveNumbers(figure, scene, file())} />
        </div>
      </div>
      <${Legend} figure=${figure} view=${view} scene=${scene} />
      <${Chart} label=${label} data=${data} describe=${lines} look=${look} plugins=${plugins} actions=${actions} />
    </section>
  `;
}

/** @param {Scene} scene @returns {string[]} what happened since the row before the cursor's */
function marksAt({ xs, row, marks }) {
  const [before, here] = [xs.peek()[row.peek() - 1] ?? -Infinity, xs.peek()[row.peek()]];
  return marks.peek().flatMap(({ at, title }) => (at > before && at <= here ? [title] : []));
}

/** @param {Figure} figure */
const titleOf = ({ title, unit }) => (unit ? `${title}, ${unit}` : title);

/** What pointing, drawing and keys do. @param {RunStore} store @param {ChartView} view @param {Scene} scene @returns {Actions} */
function actionsOf(store, view, scene) {
  return {
    onCursor: (index) => {
      view.cursor.value = index === null ? null : (scene.shown.peek().x[index] ?? null);
    },
    onSelect: (from, to) => {
      const range = rangeOf(scene.stepAt(from), scene.stepAt(to));
      if (range) view.show(range);
    },
    onZoom: (factor, around) => {
      const end = store.series.peek().x.at(-1) ?? 0;
      const range = view.range.peek() ?? { from: 0, to: end };
      view.show(zoomed(range, around === null ? (range.from + range.to) / 2 : scene.stepAt(around), factor, end));
    },
    onReset: () => view.show(null),
    onPin: (index) => {
      view.pinned.value = scene.shown.peek().x[index] ?? null;
    },
  };
}

/** @param {{ icon: Parameters<typeof Icon>[0]["name"], title: string, figure: Figure, onClick: () => void }} props */
function Tool({ icon, title, figure, onClick }) {
  return html`
    <button class="icon-button" type="button" title=${title} aria-label=${`${figure.title}: ${title}`} onClick=${onClick}>
      <${Icon} name=${icon} />
    </button>
  `;
}

/** Values under the cursor, or the latest in sight. @param {Pick<FigureProps, "figure" | "view" | "scene">} props */
function Legend({ figure, view, scene }) {
  const { bands, x } = scene.shown.value;
  const row = scene.row.value;
  const axis = view.choices.value.x;
  const broken = figure.lines.reduce((sum, { key }) => sum + bands[key].mean.filter((value) => value === null).length, 0);
  return html`
    <dl class="legend">
      <div><dt>Step</dt><dd>${format.count(x[row])}</dd></div>
      ${axis !== "step" && html`<div><dt>${X_SCALES[axis].title}</dt><dd>${X_SCALES[axis].format(scene.xs.value[row])}</dd></div>`}
      ${figure.lines.map((line) => html`<${LegendLine} key=${line.key} figure=${figure} line=${line} series=${scene.shown.value} row=${row} />`)}
      ${broken > 0 && html`<div data-line="broken"><dt>Not a number</dt><dd>${broken === 1 ? "once" : `${format.count(broken)} times`}</dd></div>`}
    </dl>
  `;
}

/** @param {{ figure: Figure, line: Line, series: Series, row: number }} props */
function LegendLine({ figure, line: { key, name, color }, series, row }) {
  const { min, max, mean } = series.bands[key];
  if (lastNumber(mean) === null) return null;
  const [low, high] = [min[row], max[row]];
  return html`
    <div data-line=${color}>
      <dt>${name}</dt>
      <dd>
        ${valueAt(figure, mean, row)}
        ${low != null && high != null && low < high && html`<small>${figure.format(low)} to ${figure.format(high)}</small>`}
      </dd>
    </div>
  `;
}

/** @param {Figure} figure @param {(number | null | undefined)[]} column @param {number} row */
function valueAt({ format: text }, column, row) {
  return column[row] === null ? "not a number" : text(lastNumber(column, row + 1));
}

/** @param {Figure} figure @param {Series} series @param {number} row @returns {string} a sentence */
function valuesAt(figure, series, row) {
  const told = figure.lines.filter(({ key }) => lastNumber(series.bands[key].mean) !== null);
  const values = told.map(({ key, name }) => `${name} ${valueAt(figure, series.bands[key].mean, row)}`);
  return [`Step ${format.count(series.x[row])}`, ...values].join(", ");
}
