/**
 * An answer token by token: how likely each was, and what could have stood in its place.
 *
 * @import { GeneratedToken } from "../../types.js"
 */
import { html } from "htm/preact";
import { useMemo } from "preact/hooks";
import { TokenLine } from "../../components/data/token-line.js";
import { visible } from "../../stores/data/token-text.js";
import { alternativesOf, LEVELS, levelOf, meanOf, percentOf, rankOf } from "../../stores/playground/likelihood.js";

/** @param {{ tokens: GeneratedToken[], label: string }} props */
export function LikelyTokens({ tokens, label }) {
  const shown = useMemo(() => tokens.map((token) => ({ ...token, text: token.token })), [tokens]);
  const mean = meanOf(tokens);
  return html`
    <div class="likely">
      <${TokenLine} tokens=${shown} label=${label} attributesOf=${attributesOf} detail=${LikelyDetail} />
      <ul class="token-legend" aria-label="Legend">
        ${LEVELS.map(([, name], level) => html`<li><span class="token" data-level=${level}>${"abc"}</span> ${name}</li>`)}
      </ul>
      ${mean !== null && html`<p class="muted" title="The geometric mean: 1 divided by the perplexity">${percentOf(mean)} per token on average</p>`}
    </div>
  `;
}

/** @param {GeneratedToken} token */
const attributesOf = ({ logprob }) => ({ "data-level": levelOf(logprob) ?? undefined });

/** @param {{ token: GeneratedToken }} props */
function LikelyDetail({ token }) {
  const rank = rankOf(token);
  const others = alternativesOf(token);
  return html`
    <strong>${percentOf(token.logprob)}</strong>
    <span class="muted">${rank === 1 ? "the likeliest" : rank > 1 ? `number ${rank} of the likeliest` : ""}</span>
    ${others.length > 0 &&
    html`
      <span class="alternatives">
        <span class="muted">instead:</span>
        ${others.map((each) => html`<span><bdi class="token-text" dir="auto">${visible(each.token)}</bdi> <span class="muted">${percentOf(each.logprob)}</span></span>`)}
      </span>
    `}
  `;
}
