/** @import { Preflight } from "../../types.js" */
import { html } from "htm/preact";
import * as format from "../../format.js";
import { memoryOf } from "../../stores/preflight.js";

/** What is needed against what there is; the parts on hover and focus. @param {{ preflight: Preflight }} props */
export function MemoryBar({ preflight }) {
  const { needed, available, segments, limit } = memoryOf(preflight);
  const { fits, device } = preflight;
  const where = device === "cpu" ? "free" : `on ${device}`;
  return html`
    <div class="memory" tabindex="0" role="group" aria-label="Memory" aria-describedby="memory-parts" data-fits=${fits}>
      <p>
        <strong>${format.bytes(needed)}</strong> of memory, <span class="muted">${format.bytes(available)} ${where}</span>
        <span class="push memory-verdict">${fits ? "fits" : "does not fit"}</span>
      </p>
      <div class="memory-bar" aria-hidden="true">
        ${segments.map(({ label, share }) => html`<span key=${label} style=${{ width: `${100 * share}%` }}></span>`)}
        ${limit < 1 && html`<i style=${{ left: `${100 * limit}%` }}></i>`}
      </div>
      <div class="tooltip" role="tooltip" id="memory-parts">
        <table class="compare">
          <tbody>
            ${preflight.memory_parts.map(
              ({ label, bytes }) => html`<tr><th scope="row">${label}</th><td>${format.bytes(bytes)}</td></tr>`,
            )}
          </tbody>
        </table>
        ${preflight.measured && html`<p class="muted">Parts by formula; the sum was measured.</p>`}
      </div>
    </div>
  `;
}
