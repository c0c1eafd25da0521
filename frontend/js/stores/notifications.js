/**
 * Says outside the page that a run has ended, or that the coach warns of one, if the visitor asked for it and allowed it.
 *
 * @import { FindingEvent, Run } from "../types.js"
 */
import * as format from "../format.js";
import { isNews } from "./findings.js";
import { hasEnded } from "./run-state.js";

const KEY = "notifications";

/** Browsers have none on plain http addresses other than this machine's own. */
export const areAvailable = () => "Notification" in globalThis && globalThis.isSecureContext;

export const areOn = () =>
  areAvailable() && Notification.permission === "granted" && localStorage.getItem(KEY) === "on";

/** @returns {Promise<boolean>} whether they are on now: the browser asks the visitor, who may refuse */
export async function turnOn() {
  const permission = await Notification.requestPermission();
  if (permission === "granted") localStorage.setItem(KEY, "on");
  return areOn();
}

export function turnOff() {
  localStorage.removeItem(KEY);
}

/**
 * Called with a run before and after what a stream told of it; tells of its end.
 *
 * @param {Run} before
 * @param {Run} after
 */
export function announce(before, after) {
  if (!hasEnded(before.status) && hasEnded(after.status)) notify(after.id, wordsFor(after), `run-${after.id}`);
}

/**
 * Called with a run as it stood before a finding of the coach; tells of what is newly wrong.
 *
 * @param {Run} before
 * @param {FindingEvent} finding
 */
export function warn(before, finding) {
  if (finding.cursor <= before.stream_cursor || !isNews(before.findings ?? [], finding)) return;
  notify(before.id, { title: `${before.name}: ${finding.title}`, body: finding.text }, `run-${before.id}-${finding.rule}`);
}

/** @param {string} id of the run @param {{ title: string, body: string }} words @param {string} tag */
function notify(id, { title, body }, tag) {
  if (!areOn()) return;
  // Several open pages tell of the same: with one tag, the later takes the earlier's place.
  const notification = new Notification(title, { body, tag, icon: "/favicon.svg" });
  notification.onclick = () => {
    window.focus();
    location.hash = `#/runs/${id}`;
    notification.close();
  };
}

/** @param {Run} run that has ended @returns {{ title: string, body: string }} */
export function wordsFor(run) {
  const [name, value] = run.validation_loss == null ? ["training loss", run.loss] : ["validation loss", run.validation_loss];
  const result = value == null ? "" : `${name} ${format.loss(value)}`;
  const reason = run.status === "completed" ? "" : (run.reason ?? "");
  return { title: [`${run.name} ${ENDS[run.status] ?? run.status}`, result].filter(Boolean).join(" — "), body: reason };
}

/** @type {Record<string, string>} */
const ENDS = { completed: "completed", stopped: "was stopped", failed: "failed", interrupted: "was interrupted" };
