/**
 * @import { Run } from "../../types.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import { comparisonOf } from "../../stores/preflight.js";

/** What was predicted of the run, and once it has ended what it took. @param {{ store: RunStore }} props */
export function ForecastCard({ store }) {
  const rows = useComputed(() => comparisonOf(/** @type {Run} */ (store.run.value))).value;
  if (rows.length === 0) return null;
  const measured = rows.some((row) => row.measured);
  const actual = rows.some((row) => row.actual);
  return html`
    <section class="card">
      <div class="card-head"><h2>${actual ? "Predicted and actual" : "Predicted"}</h2></div>
      <table class="compare">
        <thead>
          <tr>
            <td></td>
            <th scope="col">by formula</th>
            ${measured && html`<th scope="col">measured</th>`} ${actual && html`<th scope="col">actual</th>`}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) => html`
              <tr key=${row.label}>
                <th scope="row">${row.label}</th>
                <td>${row.formula}</td>
                ${measured && html`<td>${row.measured}</td>`}
                ${actual && html`<td>${row.actual || "–"} <small>${row.difference}</small></td>`}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </section>
  `;
}
