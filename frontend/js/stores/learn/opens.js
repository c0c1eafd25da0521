/**
 * Where a reader's own run shows what a page of Learn is about. Pure.
 *
 * @import { Run } from "../../types.js"
 */
import { datasetLink, evaluateLink, microscopeLink, playgroundLink, runLink } from "../../router.js";

/** The part of a run's page that the link scrolls to. @param {Run} run @param {string} part */
const partOf = (run, part) => `${runLink(run.id)}?show=${encodeURIComponent(part)}`;

/** @type {Record<string, [label: string, link: (run: Run) => string]>} */
const PLACES = {
  microscope: ["Look at one step of it", (run) => microscopeLink(run.id)],
  tokens: ["Look at its data, token by token", (run) => datasetLink(String(run.config.dataset))],
  samples: ["Read what it writes", (run) => partOf(run, "samples")],
  checkpoints: ["See its checkpoints", (run) => partOf(run, "checkpoints")],
  settings: ["See its settings", (run) => partOf(run, "settings")],
  log: ["Read its log", (run) => partOf(run, "log")],
  playground: ["Talk to it", (run) => playgroundLink(`run:${run.id}`)],
  evaluate: ["Evaluate it", (run) => evaluateLink([`run:${run.id}`])],
};

/**
 * @param {string} opens "chart:" and a chart's id, or one of the places
 * @param {Run} run
 * @returns {{ label: string, href: string }}
 */
export function placeOf(opens, run) {
  const [kind, chart] = opens.split(":");
  if (kind === "chart") return { label: "See it in its charts", href: partOf(run, chart) };
  const [label, link] = PLACES[kind];
  return { label, href: link(run) };
}
