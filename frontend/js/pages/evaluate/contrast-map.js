/**
 * A text whose colours say which of two models found each piece of it likelier.
 *
 * @import { Contrast } from "../../stores/evaluate/heat.js"
 */
import { html } from "htm/preact";
import { TextChip, TokenBox } from "../../components/models/token-box.js";
import { directionOf, visible } from "../../stores/data/token-text.js";

/** @param {{ pieces: Contrast[] | null, names: string[] }} props */
export function ContrastMap({ pieces, names }) {
  if (!pieces) {
    return html`<p class="muted">These two spell the text differently, so their tokens cannot be set against each other.</p>`;
  }
  const steps = [
    ["first-3", `likelier for ${names[0]}`],
    ["none", "much alike"],
    ["second-3", `likelier for ${names[1]}`],
  ];
  return html`
    <ul class="heat-legend" aria-label="What the colours and lines mean">
      ${steps.map(([level, title]) => html`<li key=${level}><span class="token" data-contrast=${level}>abc</span> ${title}</li>`)}
    </ul>
    <${TokenBox}
      items=${pieces}
      direction=${directionOf(pieces)}
      label=${`The text: where ${names.join(" and ")} differ`}
      className="heat-map"
      chip=${chip}
      detail=${(/** @type {Contrast | null} */ piece) => html`<${PieceDetail} piece=${piece} names=${names} />`}
    />
  `;
}

/** @param {Contrast} piece @param {string} id */
const chip = ({ text, less, level }, id) => {
  const attributes = { "data-contrast": level ? `${Number(less) > 0 ? "first" : "second"}-${level}` : undefined };
  return html`<${TextChip} id=${id} text=${text} attributes=${attributes} />`;
};

/** @param {{ piece: Contrast | null, names: string[] }} props */
function PieceDetail({ piece, names }) {
  if (!piece) return html`<p class="token-detail muted" data-idle>Point at a piece of the text, or use the arrow keys.</p>`;
  const { text, less, nats } = piece;
  const gap = Math.abs(Number(less)).toFixed(2);
  return html`
    <p class="token-detail" role="status">
      <bdi class="token-text" dir="auto">${visible(text)}</bdi>
      ${less === null
        ? html`<span class="muted">not scored by both: nothing stands before it</span>`
        : html`
            ${names.map((name, i) => html`<span key=${i}>${name}: <strong>${Number(nats[i]).toFixed(2)}</strong> nats</span>`)}
            <span class="muted">${gap === "0.00" ? "no difference" : `${gap} nats less for ${names[less > 0 ? 0 : 1]}`}</span>
          `}
    </p>
  `;
}
