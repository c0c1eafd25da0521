/** @import { RunFinding } from "../types.js" */
import { html } from "htm/preact";
import { Icon } from "./icon.js";

/** What is read aloud before the title, as a colour and a sign say it to the eye. */
const LEVELS = /** @type {const} */ ({
  good: ["check", ""],
  info: ["info", "Note: "],
  warning: ["warning", "Warning: "],
  error: ["cross", "Error: "],
});

/** The title of a finding. @param {{ finding: RunFinding }} props */
export function FindingBadge({ finding: { level, title } }) {
  const [icon, word] = LEVELS[level];
  return html`
    <span class="finding-badge" data-level=${level}>
      <${Icon} name=${icon} /><span class="visually-hidden">${word}</span>${title}
    </span>
  `;
}
