/**
 * The loss of each token as a heat map.
 *
 * @import { LookedAtToken, MicroscopeStep } from "../../types.js"
 */
import { html } from "htm/preact";
import { TextChip, TokenBox } from "../../components/models/token-box.js";
import { count } from "../../format.js";
import { directionOf, visible } from "../../stores/data/token-text.js";
import { CHANCES, levelOf } from "../../stores/evaluate/heat.js";
import { chanceOf } from "../../stores/microscope/reading.js";

const LEVELS = ["expected", ...CHANCES.map((chance) => `chance under ${100 * chance}%`)];

/** @param {{ step: MicroscopeStep }} props */
export function LossStage({ step: { tokens, loss } }) {
  const learned = tokens.filter((token) => token.learned).length;
  return html`
    <p class="stage-figure">
      <strong>${loss === null ? "not finite" : loss.toFixed(4)}</strong> nats, the mean over ${learned === 1 ? "1 learned token" : `${count(learned)} learned tokens`}
      ${loss !== null && html`<span class="muted">perplexity ${Math.exp(loss).toPrecision(4)}: as undecided as between that many equally likely tokens</span>`}
    </p>
    <ul class="heat-legend" aria-label="What the colours and lines mean">
      ${LEVELS.map((title, level) => html`<li key=${level}><span class="token" data-heat=${level}>abc</span> ${title}</li>`)}
      <li><span class="token" data-unlearned="">abc</span> not in the loss</li>
    </ul>
    <${TokenBox}
      items=${tokens}
      direction=${directionOf(tokens)}
      label="The row, by the loss of each token"
      className="heat-map"
      start=${costliest(tokens)}
      chip=${chip}
      detail=${(/** @type {LookedAtToken | null} */ token) => html`<${Detail} token=${token} />`}
    />
  `;
}

/** @param {LookedAtToken[]} tokens @returns {number} the place of the one that costs most */
function costliest(tokens) {
  const costs = tokens.map(({ learned, nats }) => (learned && nats !== null ? nats : -1));
  return costs.indexOf(Math.max(...costs));
}

/** @param {LookedAtToken} token @param {string} id */
const chip = ({ text, nats, learned }, id) => {
  const attributes = {
    "data-heat": learned && nats !== null ? levelOf(nats) : undefined,
    "data-unlearned": learned ? undefined : "",
  };
  return html`<${TextChip} id=${id} text=${text} attributes=${attributes} />`;
};

/** @param {{ token: LookedAtToken | null }} props */
function Detail({ token }) {
  if (!token) return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  if (token.nats === null) return html`<p class="token-detail muted" role="status">The first token costs nothing: it is given.</p>`;
  return html`
    <p class="token-detail" role="status">
      <bdi class="token-text" dir="auto">${visible(token.text)}</bdi>
      <span><strong>${token.nats.toFixed(4)}</strong> nats = −ln ${chanceOf(token.probability)}</span>
      <span class="muted">${token.rank === 1 ? "the likeliest of all" : `number ${count(Number(token.rank))} of the model's guesses`}</span>
      <span class="muted">entropy ${token.entropy?.toFixed(2)} nats: how undecided the model was</span>
      ${!token.learned && html`<span>only read, not in the loss</span>`}
    </p>
  `;
}
