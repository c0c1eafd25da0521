/**
 * A line chart: uPlot in a box that follows the box's size, the theme and the data.
 *
 * @import { ReadonlySignal } from "@preact/signals"
 *
 * @typedef {object} ChartData
 * @property {uPlot.AlignedData} columns x first
 * @property {number} end where the x axis ends
 * @property {{ run: string, cursor: number, time: string } | null} newest event among the data
 *
 * @typedef {(color: (name: string) => string) => Pick<uPlot.Options, "series" | "bands">} Describe
 */
import { useSignalEffect } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { number } from "./format.js";

/** Charts with the same key share the cursor. */
const SYNC = "run";

/**
 * @param {object} props
 * @param {string} props.label for those who cannot see it
 * @param {ReadonlySignal<ChartData>} props.data
 * @param {Describe} props.describe the lines, given a lookup of the theme's colours
 * @param {(index: number | null) => void} props.onCursor
 */
export function Chart({ label, data, describe, onCursor }) {
  const host = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (host.current);
    const draw = () => {
      plot.current?.destroy();
      plot.current = createPlot(element, describe, data, onCursor);
    };
    const size = () => plot.current?.setSize({ width: element.clientWidth, height: element.clientHeight });
    draw();
    const resized = new ResizeObserver(size);
    resized.observe(element);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      resized.disconnect();
      themed.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);

  useSignalEffect(() => {
    plot.current?.setData(data.value.columns);
  });

  return html`<div class="chart" ref=${host} role="img" aria-label=${label}></div>`;
}

/**
 * @param {HTMLElement} host
 * @param {Describe} describe
 * @param {ReadonlySignal<ChartData>} data
 * @param {(index: number | null) => void} onCursor
 */
function createPlot(host, describe, data, onCursor) {
  const style = getComputedStyle(host);
  const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--text-muted"),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: color("--border"), width: 1 },
    ticks: { show: false },
  };
  let drawn = data.peek().newest?.cursor ?? 0;
  const announce = () => {
    const { newest } = data.peek();
    if (!newest || newest.cursor <= drawn) return;
    drawn = newest.cursor;
    host.dispatchEvent(new CustomEvent("trainboard:drawn", { bubbles: true, detail: newest }));
  };
  return new uPlot(
    {
      width: host.clientWidth,
      height: host.clientHeight,
      ...describe(color),
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC },
        drag: { x: false, y: false },
        y: false,
        // Without this a line that has no value here would put its dot at its nearest one.
        dataIdx: (chart, line, index) => (chart.data[line][index] == null ? null : index),
      },
      scales: {
        x: { time: false, range: () => [0, data.peek().end] },
        y: { range: (_, low, high) => extent(low, high) },
      },
      axes: [
        { ...axis, size: 24, space: 64 },
        { ...axis, size: 52, space: 30, values: (_, ticks) => ticks.map(number) },
      ],
      hooks: { draw: [announce], setCursor: [(chart) => onCursor(chart.cursor.idx ?? null)] },
    },
    data.peek().columns,
    host,
  );
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @returns {uPlot.Range.MinMax} with some air, and never below zero
 */
function extent(low, high) {
  if (low === null || high === null) return [0, 1];
  const air = (high - low) * 0.08 || high * 0.1 || 1;
  return [Math.max(0, low - air), high + air];
}
