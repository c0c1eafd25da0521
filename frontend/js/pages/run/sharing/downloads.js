/** @import { RunStore } from "../../../stores/run-store.js" */
import { html } from "htm/preact";
import { Icon } from "../../../components/icon.js";
import { filePath } from "../../../server/api.js";

const FILES = [
  ["report.html", "Report", "one page with curves and samples; opens without a server"],
  ["metrics.csv", "Numbers, CSV", "a row per step, for a spreadsheet"],
  ["metrics.jsonl", "Numbers, JSON lines", "the same rows, for a script"],
  ["tensorboard", "TensorBoard", "an event file: tensorboard --logdir its folder"],
  ["events.jsonl", "Log of events", "all that the worker told, as it told it"],
];

/** The run as files. @param {{ store: RunStore }} props */
export function Downloads({ store }) {
  return html`
    <details class="card fold">
      <summary><h2>Download</h2></summary>
      <ul class="downloads">
        ${FILES.map(
          ([file, title, description]) => html`
            <li>
              <a href=${filePath(store.id, file)} download><${Icon} name="download" />${title}</a>
              <span class="muted">${description}</span>
            </li>
          `,
        )}
      </ul>
    </details>
  `;
}
