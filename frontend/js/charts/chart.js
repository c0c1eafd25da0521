/**
 * A line chart: uPlot in a box that follows the box's size, the theme and the data. Drawn only while it is on screen.
 *
 * @import { ReadonlySignal } from "@preact/signals"
 * @import { XScale } from "./x-scale.js"
 *
 * @typedef {object} ChartData
 * @property {uPlot.AlignedData} columns x first
 * @property {number} start where the x axis begins
 * @property {number} end where it ends
 * @property {{ run: string, cursor: number, time: string } | null} newest event among the data
 *
 * @typedef {(color: (name: string) => string) => Pick<uPlot.Options, "series" | "bands">} Describe a line without a
 *   label is an edge of a band: the cursor puts no dot on it
 *
 * @typedef {object} Look
 * @property {boolean} log whether y is logarithmic
 * @property {[number, number]} [limits] of y; the data's without
 * @property {(value: number) => string} format of the values of y
 * @property {XScale} x what x counts
 *
 * @typedef {object} Actions
 * @property {(index: number | null) => void} onCursor only of the chart that a person points at
 * @property {(from: number, to: number) => void} onSelect a range of x was drawn
 * @property {(factor: number, around: number | null) => void} onZoom by keys, around a place on x; below 1 comes nearer
 * @property {() => void} onReset
 * @property {(index: number) => void} onPin the row that was clicked, or where the keyboard's cursor is
 */
import { useSignal, useSignalEffect } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { moveCursor, onChartKey } from "./keys.js";
import { followFrame, themeOf } from "./plot-frame.js";
import { logTicks } from "./x-scale.js";

/** Charts with the same key share the cursor. */
const SYNC = "run";
const NOTHING = { left: 0, top: 0, width: 0, height: 0 };
/** So close to the screen a chart is kept current, for one who scrolls. */
const NEAR = "100px";
/** A shorter drag is a click, in CSS pixels. */
const SHORTEST_DRAG = 6;

/**
 * @param {object} props
 * @param {string} props.label for those who cannot see it
 * @param {ReadonlySignal<ChartData>} props.data
 * @param {Describe} props.describe the lines, given a lookup of the theme's colours
 * @param {Look} props.look the chart is made anew when another object is given
 * @param {uPlot.Plugin[]} props.plugins
 * @param {Actions} props.actions
 */
export function Chart({ label, data, describe, look, plugins, actions }) {
  const host = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const visible = useSignal(true);

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (host.current);
    const draw = () => {
      plot.current?.destroy();
      plot.current = createPlot(element, { describe, data, look, plugins, actions });
    };
    draw();
    const resize = () => plot.current?.setSize({ width: element.clientWidth, height: element.clientHeight });
    const unfollow = followFrame(element, resize, draw);
    const note = (/** @type {IntersectionObserverEntry[]} */ entries) => (visible.value = entries[entries.length - 1].isIntersecting);
    const seen = new IntersectionObserver(note, { rootMargin: NEAR });
    seen.observe(element);
    return () => {
      unfollow();
      seen.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [look, describe]);

  useSignalEffect(() => {
    if (visible.value) plot.current?.setData(data.value.columns);
  });

  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (plot.current && onChartKey(event, plot.current, actions)) event.preventDefault();
  };
  const leave = () => {
    if (plot.current) moveCursor(plot.current, -1);
    actions.onCursor(null);
  };
  return html`
    <div
      class="chart"
      ref=${host}
      tabindex="0"
      role="application"
      aria-roledescription="chart"
      aria-label=${label}
      onKeyDown=${onKeyDown}
      onBlur=${leave}
    ></div>
  `;
}

/** @param {HTMLElement} host @param {Omit<Parameters<typeof Chart>[0], "label">} props */
function createPlot(host, { describe, data, look, plugins, actions }) {
  const { color, axis } = themeOf(host);
  const lines = describe(color);
  const edges = new Set(lines.series.map((line, i) => (line.label === "" ? i : 0)));
  return new uPlot(
    {
      width: host.clientWidth,
      height: host.clientHeight,
      ...lines,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC, scales: ["x", null], filters: { pub: (type) => type === "mousemove" } },
        drag: { x: true, y: false, setScale: false, dist: SHORTEST_DRAG },
        y: false,
        bind: { dblclick: () => () => (actions.onReset(), null) },
        // Without this a line that has no value here would put its dot at its nearest one.
        dataIdx: (chart, line, index) => (edges.has(line) || chart.data[line][index] == null ? null : index),
      },
      scales: {
        x: { time: false, range: () => [data.peek().start, data.peek().end] },
        y: look.log ? { distr: 3, range: (_, low, high) => logExtent(low, high) } : { range: (_, low, high) => look.limits ?? extent(low, high) },
      },
      axes: axesOf(axis, look),
      plugins,
      hooks: {
        ready: [(chart) => chart.over.addEventListener("click", () => pin(chart, actions))],
        draw: [announcer(host, data)],
        setCursor: [(chart) => chart.cursor.event && actions.onCursor(chart.cursor.idx ?? null)],
        setSelect: [(chart) => takeSelection(chart, actions.onSelect)],
      },
    },
    data.peek().columns,
    host,
  );
}

/** @param {uPlot.Axis} axis what all have @param {Look} look @returns {uPlot.Axis[]} */
function axesOf(axis, { log, format, x }) {
  const values = (/** @type {(value: number) => string} */ text) => (/** @type {uPlot} */ _, /** @type {number[]} */ ticks) =>
    ticks.map(text).map((each, i, all) => (each === all[i - 1] ? "" : each)); // closer together than digits are shown
  const logarithmic = {
    splits: (/** @type {uPlot} */ _, /** @type {number} */ __, /** @type {number} */ low, /** @type {number} */ high) => logTicks(low, high),
    filter: (/** @type {uPlot} */ _, /** @type {number[]} */ ticks) => ticks,
  };
  return [
    { ...axis, size: 34, gap: 13, space: x.space, incrs: x.strides, values: values(x.format) }, // in the gap are the marks
    { ...axis, size: 56, space: 30, values: values(format), ...(log ? logarithmic : {}) },
  ];
}

/** @param {HTMLElement} host @param {ReadonlySignal<ChartData>} data @returns {() => void} tells of each newer event once it is drawn */
function announcer(host, data) {
  let drawn = data.peek().newest?.cursor ?? 0;
  return () => {
    const { newest } = data.peek();
    if (!newest || newest.cursor <= drawn) return;
    drawn = newest.cursor;
    host.dispatchEvent(new CustomEvent("trainboard:drawn", { bubbles: true, detail: newest }));
  };
}

/** Of a click; uPlot keeps back the one that a drag ends in. @param {uPlot} chart @param {Actions} actions */
function pin(chart, { onPin }) {
  if (chart.cursor.idx != null) onPin(chart.cursor.idx);
}

/** @param {uPlot} chart @param {Actions["onSelect"]} onSelect */
function takeSelection(chart, onSelect) {
  const { left, width } = chart.select;
  // The other charts show it too while it is drawn.
  for (const each of uPlot.sync(SYNC).plots) each.setSelect(NOTHING, false);
  if (width >= SHORTEST_DRAG) onSelect(chart.posToVal(left, "x"), chart.posToVal(left + width, "x"));
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @returns {uPlot.Range.MinMax} with some air, and never below zero
 */
function extent(low, high) {
  if (low === null || high === null) return [0, 1];
  // Averaging leaves a last digit that differs: a flat line must not look like mountains.
  const flat = high - low < Math.abs(high) * 1e-6;
  const air = flat ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.08;
  return [Math.max(0, low - air), high + air];
}

/** @param {number | null} low the lowest that is above 0 @param {number | null} high @returns {uPlot.Range.MinMax} */
function logExtent(low, high) {
  if (low === null || high === null || !(low > 0) || !Number.isFinite(high)) return [0.1, 1];
  const air = Math.max((high / low) ** 0.06, 1.05);
  return [low / air, high * air];
}
