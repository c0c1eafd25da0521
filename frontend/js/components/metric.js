import { html } from "htm/preact";
import { learnLink } from "../router.js";
import { NUMBERS } from "../stores/learn/numbers.js";

/**
 * A number with its unit; pointing at it or focusing its label explains it.
 *
 * @param {{ id: string, label: string, value: string, unit?: string }} props `id` is a name in stores/learn/numbers.js
 */
export function Metric({ id, label, value, unit }) {
  return html`
    <div class="metric" data-explain=${id}>
      <a class="metric-label explained" href=${learnLink(NUMBERS[id].page)}>${label}</a>
      <span class="metric-value" data-metric=${id}>${value}${unit && html`<small>${unit}</small>`}</span>
    </div>
  `;
}
