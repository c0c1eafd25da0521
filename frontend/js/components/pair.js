/**
 * Two examples that are nearly the same.
 *
 * @import { NearDuplicates } from "../types.js"
 */
import { html } from "htm/preact";
import { count, share } from "../format.js";

/**
 * @param {object} props
 * @param {NearDuplicates["examples"][number]} props.pair
 * @param {(row: number) => void} [props.onRow] where rows can be opened
 */
export function Pair({ pair, onRow }) {
  return html`
    <figure class="pair">
      <figcaption class="muted">${share(pair.in_common, 1)} of the words in common</figcaption>
      ${pair.rows.map(
        ({ row, side, text }) => html`
          <div>
            ${onRow
              ? html`<button type="button" class="link" onClick=${() => onRow(row)}>row ${count(row)}</button>`
              : `row ${count(row)}`}${" "}
            <span class="tag">${side}</span>
            <p>${text}</p>
          </div>
        `,
      )}
    </figure>
  `;
}
