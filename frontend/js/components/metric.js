import { html } from "htm/preact";

/**
 * A number with its unit, and on hover or focus a line on what it means.
 *
 * @param {{ id: string, label: string, value: string, unit?: string, help: string }} props
 */
export function Metric({ id, label, value, unit, help }) {
  return html`
    <div class="metric" tabindex="0" aria-describedby=${`metric-${id}`}>
      <span class="metric-label">${label}</span>
      <span class="metric-value" data-metric=${id}>${value}${unit && html`<small>${unit}</small>`}</span>
      <span class="tooltip" role="tooltip" id=${`metric-${id}`}>${help}</span>
    </div>
  `;
}
