/**
 * Where the gradient of the loss flows.
 *
 * @import { LookedAtToken, MicroscopeStep } from "../../types.js"
 */
import { html } from "htm/preact";
import { TextChip, TokenBox } from "../../components/models/token-box.js";
import { directionOf, visible } from "../../stores/data/token-text.js";
import { clipping, shareLevel, small } from "../../stores/microscope/reading.js";
import { PartBars } from "./part-bars.js";

/** @param {{ step: MicroscopeStep }} props */
export function BackwardStage({ step }) {
  const { tokens, parts } = step;
  const largest = Math.max(...tokens.map(({ gradient }) => gradient ?? 0));
  const chip = (/** @type {LookedAtToken} */ { text, gradient }, /** @type {string} */ id) => {
    const attributes = { "data-heat": gradient === null ? undefined : shareLevel(gradient, largest) };
    return html`<${TextChip} id=${id} text=${text} attributes=${attributes} />`;
  };
  return html`
    <p class="stage-figure">${clipping(step)}</p>
    <${PartBars} parts=${parts} field="grad_norm" title="Length of the gradient of each part, before clipping" unit="Gradient norm" />
    <div>
      <h3>Which tokens would have changed the loss most</h3>
      <p class="muted">The stronger the colour, the longer the gradient that arrives where the token was read.</p>
      <${TokenBox}
        items=${tokens}
        direction=${directionOf(tokens)}
        label="The row, by the gradient that reaches each token"
        className="heat-map"
        start=${Math.max(0, tokens.findIndex(({ gradient }) => gradient === largest))}
        chip=${chip}
        detail=${(/** @type {LookedAtToken | null} */ token) => html`<${Detail} token=${token} largest=${largest} />`}
      />
    </div>
  `;
}

/** @param {{ token: LookedAtToken | null, largest: number }} props */
function Detail({ token, largest }) {
  if (!token) return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  return html`
    <p class="token-detail" role="status">
      <bdi class="token-text" dir="auto">${visible(token.text)}</bdi>
      ${token.gradient === null
        ? html`<span class="muted">The last token is only expected, never read: no gradient reaches it.</span>`
        : html`
            <span>gradient norm <strong>${small(token.gradient)}</strong></span>
            <span class="muted">${largest ? `${((100 * token.gradient) / largest).toFixed(0)}% of the largest` : ""}</span>
          `}
    </p>
  `;
}
