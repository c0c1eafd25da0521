/** @import { Comparison, Difference } from "../../types.js" */
import { html } from "htm/preact";
import { number } from "../../format.js";

/** The settings that are not the same in all runs, and nothing else. @param {{ comparison: Comparison }} props */
export function Differences({ comparison: { runs, differences } }) {
  const shown = differences.filter(({ field }) => field !== "name"); // which heads each row anyway
  return html`
    <section class="card">
      <div class="card-head"><h2>What differed</h2></div>
      ${shown.length === 0
        ? html`<p class="muted">All settings are the same.</p>`
        : html`
            <div class="scroll" tabindex="0" role="region" aria-label="What differed">
              <table class="compare side-by-side narrow">
                <thead>
                  <tr>
                    <th scope="col">Run</th>
                    ${shown.map(({ field, label, unit }) => html`<th key=${field} scope="col">${label}${unit && html`<small>${unit}</small>`}</th>`)}
                  </tr>
                </thead>
                <tbody>
                  ${runs.map(
                    (run) => html`
                      <tr key=${run.id}>
                        <th scope="row">${run.name}</th>
                        ${shown.map((difference) => html`<td key=${difference.field}>${shownValue(difference, run.id)}</td>`)}
                      </tr>
                    `,
                  )}
                </tbody>
              </table>
            </div>
          `}
    </section>
  `;
}

/** @param {Difference} difference @param {string} run */
function shownValue({ values }, run) {
  const value = values[run];
  if (value === null || value === undefined) return html`<span class="muted">empty</span>`;
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : number(value);
  return Array.isArray(value) ? value.map((each) => `“${each}”`).join(", ") : String(value);
}
