/**
 * What is marked on a chart beside its lines: events on the x axis, a line at one place, and values that are no numbers.
 *
 * @import { ReadonlySignal } from "@preact/signals"
 *
 * @typedef {object} Mark
 * @property {number} at on x
 * @property {"checkpoint" | "warning" | "finding"} kind
 * @property {string} title
 */
import { effect } from "@preact/signals";

/**
 * Small signs below the x axis that tell on hover what happened there, and a dashed line.
 *
 * @param {ReadonlySignal<Mark[]>} marks
 * @param {ReadonlySignal<number | null>} line on x
 * @returns {uPlot.Plugin}
 */
export function marksPlugin(marks, line) {
  const ruler = element("chart-ruler");
  /** @type {HTMLElement[]} */
  let signs = [];
  let placed = "";

  /** @param {uPlot} chart */
  const place = (chart) => {
    signs.forEach((sign, i) => put(chart, sign, marks.peek()[i].at));
    put(chart, ruler, line.peek());
  };
  /** @param {uPlot} chart */
  const ready = (chart) => {
    placed = "";
    chart.over.append(ruler);
    const stopMarks = effect(() => {
      signs.forEach((sign) => sign.remove());
      signs = marks.value.map(signOf);
      chart.over.append(...signs);
      place(chart);
    });
    const stopLine = effect(() => put(chart, ruler, line.value));
    chart.hooks.destroy = [...(chart.hooks.destroy ?? []), stopMarks, stopLine];
  };
  /** Positions change with the scale and the size alone. @param {uPlot} chart */
  const draw = (chart) => {
    const where = `${chart.scales.x.min} ${chart.scales.x.max} ${chart.bbox.width}`;
    if (where === placed) return;
    placed = where;
    place(chart);
  };
  return { hooks: { ready, draw } };
}

/** @param {Mark} mark */
function signOf({ kind, title }) {
  const sign = element("chart-mark");
  sign.dataset.kind = kind;
  sign.dataset.title = title;
  sign.ariaHidden = "true"; // each chart has them all; the cursor tells of them in words
  return sign;
}

/** @param {string} name */
function element(name) {
  const made = document.createElement("div");
  made.className = name;
  return made;
}

/** @param {uPlot} chart @param {HTMLElement} sign @param {number | null} at */
function put(chart, sign, at) {
  const { min = 0, max = 0 } = chart.scales.x;
  sign.hidden = at === null || at < min || at > max;
  if (sign.hidden) return;
  const left = chart.valToPos(/** @type {number} */ (at), "x");
  sign.style.left = `${left}px`;
  // What is told at the right edge unfolds to the left.
  sign.dataset.side = left > chart.over.clientWidth / 2 ? "left" : "right";
}

const CROSS = 4;
const CROSS_TOP = 9;

/**
 * A cross at the top of the chart where a value was NaN or infinite.
 *
 * @param {ReadonlySignal<number[]>} places on x, rising
 * @returns {uPlot.Plugin}
 */
export function brokenPlugin(places) {
  /** @param {uPlot} chart */
  const draw = (chart) => {
    if (!places.peek().length) return;
    const { ctx, bbox } = chart;
    const { min = 0, max = 0 } = chart.scales.x;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = getComputedStyle(chart.root).getPropertyValue("--bad");
    ctx.lineWidth = 2 * scale;
    ctx.beginPath();
    let before = -Infinity;
    for (const at of places.peek()) {
      if (at < min || at > max) continue;
      const x = Math.round(chart.valToPos(at, "x", true));
      if (x - before < CROSS * scale) continue; // one stands for a crowd
      before = x;
      const y = bbox.top + CROSS_TOP * scale;
      const arm = CROSS * scale;
      ctx.moveTo(x - arm, y - arm);
      ctx.lineTo(x + arm, y + arm);
      ctx.moveTo(x + arm, y - arm);
      ctx.lineTo(x - arm, y + arm);
    }
    ctx.stroke();
    ctx.restore();
  };
  return { hooks: { draw } };
}

const LEAST_WIDTH = 3;

/**
 * A shaded band over a part of x.
 *
 * @param {ReadonlySignal<{ start: number, end: number } | null>} band on x
 * @returns {uPlot.Plugin}
 */
export function bandPlugin(band) {
  const shade = element("chart-band");
  /** @param {uPlot} chart */
  const place = (chart) => {
    const { min = 0, max = 0 } = chart.scales.x;
    const at = band.peek();
    shade.hidden = at === null || at.end < min || at.start > max;
    if (at === null || shade.hidden) return;
    const [left, right] = [Math.max(at.start, min), Math.min(at.end, max)].map((x) => chart.valToPos(x, "x"));
    shade.style.left = `${left}px`;
    shade.style.width = `${Math.max(LEAST_WIDTH, right - left)}px`;
  };
  /** @param {uPlot} chart */
  const ready = (chart) => {
    chart.over.append(shade);
    const stop = effect(() => (band.value, place(chart)));
    chart.hooks.destroy = [...(chart.hooks.destroy ?? []), stop];
  };
  return { hooks: { ready, draw: place } };
}
