/**
 * @import { Run } from "../../types.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { getLog } from "../../server/api.js";

const TAIL_BYTES = 4096;
const TAIL_LINES = 20;

/** Why the run broke, what to do, and the end of its log. @param {{ store: RunStore }} props */
export function Failure({ store }) {
  const run = /** @type {Run} */ (store.run.value);
  // Where the server had to judge by the log, the hint's further lines are the end of that log.
  const [hint, ...quoted] = (run.hint ?? "").split("\n");
  const tail = useTail(store.id, quoted.length === 0);
  const lines = quoted.length ? quoted.join("\n") : tail;
  return html`
    <section class="failure" role="alert">
      <h2>${run.status === "failed" ? "This run failed" : "This run was interrupted"}</h2>
      <p>${run.reason ?? "No reason is known."}</p>
      ${hint && html`<p class="muted">${hint}</p>`}
      ${lines && html`<pre tabindex="0" aria-label="Last lines of the log">${lines}</pre>`}
    </section>
  `;
}

/** @param {string} id @param {boolean} wanted @returns {string} the log's last lines, empty until fetched */
function useTail(id, wanted) {
  const tail = useSignal("");
  useEffect(() => {
    if (!wanted) return;
    getLog(id, -TAIL_BYTES).then(
      ({ text }) => (tail.value = text.trimEnd().split("\n").slice(-TAIL_LINES).join("\n")),
      () => (tail.value = ""), // the reason stands without it, and the log's own box shows the error
    );
  }, [id, wanted]);
  return tail.value;
}
