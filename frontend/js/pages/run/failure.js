/**
 * @import { Run } from "../../types.js"
 * @import { RunStore } from "../../run-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { getLog } from "../../api.js";

const TAIL_BYTES = 4096;
const TAIL_LINES = 20;

/** Why the run broke, what to do, and the end of its log. @param {{ store: RunStore }} props */
export function Failure({ store }) {
  const run = /** @type {Run} */ (store.run.value);
  const tail = useSignal("");
  useEffect(() => {
    getLog(store.id, -TAIL_BYTES).then(
      ({ text }) => (tail.value = text.trimEnd().split("\n").slice(-TAIL_LINES).join("\n")),
      () => (tail.value = ""), // the reason above stands without it, and the log's own box shows the error
    );
  }, [store]);
  return html`
    <section class="failure" role="alert">
      <h2>${run.status === "failed" ? "This run failed" : "This run was interrupted"}</h2>
      <p>${run.reason ?? "No reason is known."}</p>
      ${run.hint && html`<p class="muted">${run.hint}</p>`}
      ${tail.value && html`<pre tabindex="0" aria-label="Last lines of the log">${tail.value}</pre>`}
    </section>
  `;
}
