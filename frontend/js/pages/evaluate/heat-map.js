/**
 * A text whose colours say how surprising a model found each token.
 *
 * @import { ScoredToken } from "../../types.js"
 * @import { Cell } from "../../stores/evaluate/heat.js"
 */
import { html } from "htm/preact";
import { useMemo } from "preact/hooks";
import { TextChip, TokenBox } from "../../components/models/token-box.js";
import { count } from "../../format.js";
import { directionOf, visible } from "../../stores/data/token-text.js";
import { cellsOf, chance, CHANCES } from "../../stores/evaluate/heat.js";

const LEVELS = ["expected", ...CHANCES.map((chance) => `chance under ${100 * chance}%`)];

/** @param {{ tokens: ScoredToken[], name: string }} props */
export function HeatMap({ tokens, name }) {
  const cells = useMemo(() => cellsOf(tokens), [tokens]);
  return html`
    <ul class="heat-legend" aria-label="What the colours and lines mean">
      ${LEVELS.map((title, level) => html`<li key=${level}><span class="token" data-heat=${level}>abc</span> ${title}</li>`)}
    </ul>
    <${TokenBox}
      items=${cells}
      direction=${directionOf(cells)}
      label=${`The text as ${name} finds it`}
      className="heat-map"
      chip=${chip}
      detail=${(/** @type {Cell | null} */ cell) => html`<${CellDetail} cell=${cell} />`}
    />
  `;
}

/** @param {Cell} cell @param {string} id */
const chip = ({ text, nats, level, tokens }, id) => {
  const attributes = {
    "data-heat": nats === null ? undefined : level,
    "data-mark": tokens.every((token) => token.bytes === 0) ? "" : undefined,
  };
  return html`<${TextChip} id=${id} text=${text} attributes=${attributes} />`;
};

/** @param {{ cell: Cell | null }} props */
function CellDetail({ cell }) {
  if (!cell) return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  const { text, nats, tokens } = cell;
  const [{ rank, top }] = tokens;
  return html`
    <div class="token-detail" role="status">
      <bdi class="token-text" dir="auto">${visible(text)}</bdi>
      ${nats === null
        ? html`<span class="muted">not scored: nothing stands before it</span>`
        : html`
            <span><strong>${nats.toFixed(2)}</strong> nats</span>
            <span>chance ${chance(nats)}</span>
            <span class="muted">
              ${tokens.length > 1
                ? `${tokens.length} tokens make it up`
                : rank === 1
                  ? "the likeliest of all"
                  : `number ${count(rank)} on the model's list`}
            </span>
            <span class="alternatives">
              <span class="muted">Likeliest here:</span>
              ${top.map(
                ({ text: other, logprob }) =>
                  html`<span key=${other}><bdi class="token-text" dir="auto">${visible(other)}</bdi> ${chance(-logprob)}</span>`,
              )}
            </span>
          `}
    </div>
  `;
}
