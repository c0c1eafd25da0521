/**
 * What a comparison shows, as its link says it. Pure.
 *
 * @import { Axis, Metric } from "../charts/overlay-lines.js"
 *
 * @typedef {object} CompareSettings
 * @property {string[]} runs
 * @property {Metric} metric
 * @property {Axis} axis
 * @property {boolean} smooth
 * @property {boolean} log
 * @property {boolean} bands one line with a band for runs that repeat each other with other seeds
 */
import { METRICS } from "../charts/overlay-lines.js";

/** @type {[value: Axis, title: string][]} */
export const AXES = [
  ["step", "Step"],
  ["tokens", "Tokens"],
  ["time", "Time"],
];

/** @param {URLSearchParams} query @returns {CompareSettings} */
export function settingsOf(query) {
  return {
    runs: (query.get("runs") ?? "").split(",").filter(Boolean),
    metric: METRICS.find(({ key }) => key === query.get("metric")) ?? METRICS[0],
    axis: (AXES.find(([axis]) => axis === query.get("x")) ?? AXES[0])[0],
    smooth: query.get("smooth") === "1",
    log: query.get("log") === "1",
    bands: query.get("bands") === "1",
  };
}

/** @param {CompareSettings} settings @returns {string} */
export function settingsLink({ runs, metric, axis, smooth, log, bands }) {
  const query = new URLSearchParams();
  if (metric !== METRICS[0]) query.set("metric", metric.key);
  if (axis !== "step") query.set("x", axis);
  for (const [name, on] of Object.entries({ smooth, log, bands })) if (on) query.set(name, "1");
  const rest = query.size ? `&${query}` : "";
  return `#/compare?runs=${runs.map(encodeURIComponent).join(",")}${rest}`;
}
