/**
 * @import { Config, Preflight } from "../../types.js"
 * @import { FormField } from "../../stores/form.js"
 */
import { html } from "htm/preact";
import { ConfirmButton } from "../../components/confirm-button.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { blockersOf, fittingBatch } from "../../stores/preflight.js";

/**
 * The button that starts the run, or why it should not be started and what would help.
 *
 * @param {object} props
 * @param {ReturnType<typeof import("./use-submit.js").useSubmit>} props.submission
 * @param {Config} props.payload
 * @param {Preflight | null} props.preflight
 * @param {Config[string]} props.batchSize as it is set
 * @param {FormField | null} props.wrong
 * @param {(fitting: Record<string, number>) => void} props.onUse
 */
export function Start({ submission, payload, preflight, batchSize, wrong, onUse }) {
  const { busy, submit } = submission;
  const error = submission.error.value;
  const refused = error?.code === "does_not_fit" ? [error] : [];
  const blockers = preflight ? blockersOf(preflight) : [];
  const reasons = blockers.length ? blockers : refused;
  return html`
    <section class="card start" aria-label="Start">
      ${reasons.length > 0
        ? html`
            <div class="blocked" role="status">
              ${reasons.map(
                ({ message, hint }) => html`
                  <p><${Icon} name="warning" /><span><strong>${message}</strong> ${withoutQuery(hint ?? "")}</span></p>
                `,
              )}
            </div>
            ${preflight && html`<${UseBatch} fitting=${fittingBatch(preflight, batchSize)} onUse=${onUse} />`}
            <${ConfirmButton}
              question="It will most likely end in an error. Start it all the same?"
              confirm="Start it"
              cancel="Do not"
              onConfirm=${() => submit(payload, true)}
            >Start anyway<//>
          `
        : html`
            <button class="button primary large" disabled=${busy.value}>
              ${busy.value ? "Starting…" : "Start training"}
            </button>
          `}
      ${wrong && html`<p class="field-error">One setting needs another look: ${wrong.label}.</p>`}
      ${!wrong && refused.length === 0 && html`<${ErrorNotice} error=${error} />`}
    </section>
  `;
}

/** The API's advice to scripts is a button here. @param {string} hint */
const withoutQuery = (hint) => hint.replace(/ \?override=true .*$/, "");

/** @param {{ fitting: ReturnType<typeof fittingBatch>, onUse: (fitting: Record<string, number>) => void }} props */
function UseBatch({ fitting, onUse }) {
  if (!fitting) return null;
  return html`
    <button type="button" class="button primary" onClick=${() => onUse(fitting)}>
      Use batch size ${fitting.batch_size} × accumulation ${fitting.gradient_accumulation_steps}
    </button>
  `;
}
