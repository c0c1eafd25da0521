/**
 * Which charts a run has, and what they are about. Pure.
 *
 * @import { Describe, Look } from "../../../charts/chart.js"
 * @import { Column, Key, Series } from "../../../charts/series.js"
 *
 * @typedef {object} Line
 * @property {Key} key
 * @property {string} name in the legend
 * @property {"train" | "validation"} color
 * @property {boolean} [exact] has no noise that is to be smoothed away
 * @property {boolean} [dots] few and exact values, each with a dot
 *
 * @typedef {object} Figure
 * @property {string} id
 * @property {string} title
 * @property {string} unit empty where the values bring it along, or have none
 * @property {string} help what it is and what to look for, for people new to it
 * @property {Line[]} lines
 * @property {(value: number | null | undefined) => string} format
 * @property {(value: number | null | undefined) => string} [tick] where the axis needs it shorter
 * @property {boolean} [linear] never logarithmic
 * @property {[number, number]} [limits] of y
 * @property {Key} [unless] not shown where there are values of this
 */
import * as format from "../../../format.js";
import { hasValues, smooth } from "../../../charts/series.js";

const milliseconds = (/** @type {number | null | undefined} */ value) => (value == null ? "–" : `${format.number(value)} ms`);

/** @type {Figure[]} */
export const FIGURES = [
  {
    id: "loss",
    title: "Loss",
    unit: "nats per token",
    help: "How wrong the guesses of the next token are; lower is better. Validation is the same on text the model never learns from: if it rises while training falls, the model memorises.",
    lines: [
      { key: "loss", name: "Training", color: "train" },
      { key: "validation_loss", name: "Validation", color: "validation", dots: true },
    ],
    format: format.loss,
    tick: format.number,
  },
  {
    id: "perplexity",
    title: "Perplexity",
    unit: "tokens",
    help: "Between how many tokens the model wavers at each place, on text it has not seen: e to the power of validation loss. 1 would be certainty.",
    lines: [{ key: "perplexity", name: "Validation", color: "validation", dots: true }],
    format: format.number,
    tick: format.short,
  },
  {
    id: "lr",
    title: "Learning rate",
    unit: "",
    help: "How big each change of the weights is. It climbs during warmup, then follows the schedule.",
    lines: [{ key: "lr", name: "Rate", color: "train", exact: true }],
    format: format.number,
  },
  {
    id: "grad_norm",
    title: "Gradient norm",
    unit: "",
    help: "How strongly one update pulls on all weights together, before it is clipped. Rare spikes are clipped and harmless; a steady climb means that training is about to go wrong.",
    lines: [{ key: "grad_norm", name: "Norm", color: "train" }],
    format: format.number,
  },
  {
    id: "tokens_per_s",
    title: "Speed",
    unit: "tokens/s",
    help: "Pieces of words that the model learns from each second. A drop that lasts means that something else takes the machine's time.",
    lines: [{ key: "tokens_per_s", name: "Speed", color: "train" }],
    format: format.count,
    tick: format.short,
  },
  {
    id: "step_ms",
    title: "Step time",
    unit: "ms",
    help: "How long one update of the weights takes.",
    lines: [{ key: "step_ms", name: "Step", color: "train" }],
    format: milliseconds,
    tick: format.number,
  },
  {
    id: "memory",
    title: "Memory",
    unit: "",
    help: "What the training process holds: in the machine's memory, and on the GPU where there is one. If it only ever grows, the run may run out of it.",
    lines: [
      { key: "memory_bytes", name: "Process", color: "train", exact: true },
      { key: "gpu_memory_bytes", name: "GPU", color: "validation", exact: true },
    ],
    format: format.bytes,
    linear: true,
  },
  {
    id: "gpu",
    title: "GPU in use",
    unit: "% of time",
    help: "How much of the time the GPU has work. Far below 100 it waits: for data, or for a batch that is too small.",
    lines: [{ key: "gpu_percent", name: "GPU", color: "train" }],
    format: format.percent,
    linear: true,
    limits: [0, 100],
  },
  {
    id: "cpu",
    title: "CPU in use",
    unit: "% of all cores",
    help: "How busy the machine's processors are, with this run and all else.",
    lines: [{ key: "cpu_percent", name: "CPU", color: "train" }],
    format: format.percent,
    linear: true,
    limits: [0, 100],
    unless: "gpu_percent",
  },
];

/** @param {Series} series @returns {string[]} ids of the figures that have something to show */
export function shownFigures({ bands }) {
  const told = (/** @type {Key} */ key) => hasValues(bands[key].mean);
  return FIGURES.filter(({ lines, unless }) => lines.some(({ key }) => told(key)) && !(unless && told(unless))).map(({ id }) => id);
}

/**
 * @param {Figure} figure
 * @param {Series} series
 * @param {number} weight of smoothing
 * @returns {Column[]} for each line highest, lowest and smoothed mean; of one with dots its values alone
 */
export function columnsOf({ lines }, { bands }, weight) {
  return lines.flatMap(({ key, exact, dots }) => {
    const { min, max, mean } = bands[key];
    return dots ? [mean] : [max, min, smooth(mean, exact ? 0 : weight)];
  });
}

/** @param {Figure} figure @returns {Describe} the lines of `columnsOf` */
export function describe({ lines }) {
  return (color) => {
    /** @type {uPlot.Series[]} */
    const series = [{}];
    /** @type {uPlot.Band[]} */
    const bands = [];
    const noPoints = { points: { show: false } };
    for (const line of lines) {
      const stroke = color(`--chart-${line.color}`);
      if (line.dots) {
        series.push({ label: line.name, stroke, width: 2, points: { show: true, size: 7, width: 2, fill: color("--surface") } });
        continue;
      }
      const faint = color(`--chart-${line.color}-faint`);
      const edge = { label: "", stroke: faint, width: 1, ...noPoints };
      bands.push({ series: [series.length, series.length + 1], fill: faint });
      series.push(edge, { ...edge }, { label: line.name, stroke, width: 2, ...noPoints });
    }
    return { series, bands };
  };
}

/** @param {Figure} figure @param {boolean} log @returns {Omit<Look, "x">} */
export function lookOf({ format: text, tick = text, linear, limits }, log) {
  return { log: log && !linear, limits, format: tick };
}
