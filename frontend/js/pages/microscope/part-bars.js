/** @import { ModelPart } from "../../types.js" */
import { html } from "htm/preact";
import { count } from "../../format.js";
import { small } from "../../stores/microscope/reading.js";

/**
 * A number of each part of the model as a bar, in the order in which a text goes through.
 *
 * @param {object} props
 * @param {ModelPart[]} props.parts
 * @param {"grad_norm" | "update_ratio"} props.field
 * @param {string} props.title
 * @param {string} props.unit
 * @param {(value: number | null) => string} [props.show]
 */
export function PartBars({ parts, field, title, unit, show = small }) {
  const largest = Math.max(...parts.map((part) => part[field] ?? 0));
  return html`
    <table class="part-bars">
      <caption>${title}</caption>
      <thead>
        <tr><th scope="col">Part</th><th scope="col">${unit}</th><th scope="col" class="part-weights">Trained weights</th></tr>
      </thead>
      <tbody>
        ${parts.map((part) => {
          const value = part[field];
          return html`
            <tr key=${part.name}>
              <th scope="row">${part.name}</th>
              <td class="with-bar">
                <span>${show(value)}</span><i style=${{ width: `${largest && value ? (100 * value) / largest : 0}%` }}></i>
              </td>
              <td class="part-weights">${count(part.weights)}</td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}
