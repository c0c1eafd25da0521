/** @import { RunStore } from "../../../stores/run-store.js" */
import { html } from "htm/preact";
import { CopyButton } from "../../../components/copy-button.js";
import { hasEnded } from "../../../stores/run-state.js";

/** How other programs ask this run's model. @param {{ store: RunStore }} props */
export function Clients({ store }) {
  const checkpoints = store.checkpoints.value;
  const status = store.run.value?.status;
  if (!checkpoints.length || !status) return null;
  const model = (checkpoints.find(({ kind }) => kind === "final") ?? checkpoints[checkpoints.length - 1]).model;
  const base = `${location.origin}/v1`;
  const curl = `curl ${base}/chat/completions -H 'content-type: application/json' -d '${JSON.stringify({
    model,
    messages: [{ role: "user", content: "Hello" }],
  })}'`;
  const values = /** @type {const} */ ([
    ["Base URL", base],
    ["Model", model],
    ["In a terminal", curl],
  ]);
  return html`
    <details class="card fold">
      <summary><h2>Ask it from another program</h2></summary>
      <p class="muted">
        Whatever talks to OpenAI's API can talk to this model${hasEnded(status) ? "" : ", while it is still learning"}: give it
        this address and name. The API key is this server's token, or anything if it has none.
      </p>
      <dl class="client-values">
        ${values.map(
          ([label, value]) => html`
            <dt>${label}</dt>
            <dd><code>${value}</code><${CopyButton} text=${value} label="Copy" /></dd>
          `,
        )}
      </dl>
    </details>
  `;
}
