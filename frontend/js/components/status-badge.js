/** @import { Status } from "../types.js" */
import { html } from "htm/preact";
import { Icon } from "./icon.js";

/** @type {Record<Status, [icon: Parameters<typeof Icon>[0]["name"], word: string]>} */
const LOOKS = {
  queued: ["clock", "Queued"],
  starting: ["dots", "Starting"],
  running: ["play", "Running"],
  pausing: ["dots", "Pausing"],
  paused: ["pause", "Paused"],
  stopping: ["dots", "Stopping"],
  completed: ["check", "Completed"],
  stopped: ["stop", "Stopped"],
  failed: ["cross", "Failed"],
  interrupted: ["bolt", "Interrupted"],
};

/** @param {{ status: Status }} props */
export function StatusBadge({ status }) {
  const [icon, word] = LOOKS[status];
  return html`<span class="badge" data-status=${status}><${Icon} name=${icon} />${word}</span>`;
}
