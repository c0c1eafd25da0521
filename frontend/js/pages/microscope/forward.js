/**
 * What the model reads, what it expects next, and where it looks.
 *
 * @import { LookedAtToken, MicroscopeStep } from "../../types.js"
 * @import { Choice } from "../../stores/microscope/choice.js"
 */
import { html } from "htm/preact";
import { Icon } from "../../components/icon.js";
import { Chip, TokenBox } from "../../components/models/token-box.js";
import { count } from "../../format.js";
import { directionOf, noteOf, visible } from "../../stores/data/token-text.js";
import { chanceOf } from "../../stores/microscope/reading.js";
import { AttentionCard } from "./attention.js";

/** @param {{ step: MicroscopeStep, choice: Choice, choose: (change: Partial<Choice>) => void }} props */
export function ForwardStage({ step, choice, choose }) {
  const { tokens } = step;
  return html`
    <div>
      <h3>The tokens, and what the model expected at each</h3>
      <ul class="microscope-legend" aria-label="What the lines mean">
        <li><span class="token" data-state="trained">abc</span> learned</li>
        <li><span class="token" data-state="masked">abc</span> only read</li>
      </ul>
      <${TokenBox}
        items=${tokens}
        direction=${directionOf(tokens)}
        label="The tokens of the row"
        start=${Math.min(tokens.length - 1, Math.ceil(tokens.length / 2))}
        chip=${chip}
        detail=${(/** @type {LookedAtToken | null} */ token, /** @type {number} */ index) =>
          html`<${Guesses} token=${token} index=${index} tokens=${tokens} />`}
      />
    </div>
    <${AttentionCard} step=${step} choice=${choice} choose=${choose} />
  `;
}

/** @param {LookedAtToken} token @param {string} id */
const chip = ({ text, learned }, id) =>
  html`<${Chip} id=${id} text=${text} shown=${visible(text)} attributes=${{ "data-state": learned ? "trained" : "masked" }} />`;

/** @param {{ token: LookedAtToken | null, index: number, tokens: LookedAtToken[] }} props */
function Guesses({ token, index, tokens }) {
  if (!token) return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  if (token.probability === null) {
    return html`<p class="token-detail" role="status">The first token is given: nothing stands before it, so it is not expected.</p>`;
  }
  const listed = token.top.some((guess) => guess.id === token.id);
  const before = tokens.slice(Math.max(0, index - 6), index).map(({ text }) => text).join("");
  const rows = token.top.map((guess, place) => ({ ...guess, place: place + 1 }));
  if (!listed) rows.push({ id: token.id, text: token.text, probability: token.probability, place: Number(token.rank) });
  return html`
    <div class="guesses">
      <p role="status">
        After <bdi class="token-text" dir="auto">${index > 6 ? "…" : ""}${visible(before)}</bdi> stands
        ${" "}<bdi class="token-text" dir="auto"><strong>${visible(token.text)}</strong></bdi>: the model gave it
        ${" "}<strong>${chanceOf(token.probability)}</strong>, number ${count(Number(token.rank))} of its guesses.
        ${noteOf(token.text) && html` <span class="muted">It is ${noteOf(token.text)}.</span>`}
        ${!token.learned && html` <span class="muted">It is only read: it does not count in the loss.</span>`}
      </p>
      <table>
        <caption class="visually-hidden">The model's likeliest next tokens</caption>
        <thead>
          <tr><th scope="col">Guess</th><th scope="col">Token</th><th scope="col">Probability</th></tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ id, text, probability, place }) => html`
              <tr key=${id} data-target=${id === token.id ? "" : undefined}>
                <td>${count(place)}</td>
                <th scope="row">
                  <bdi class="token-text" dir="auto">${visible(text)}</bdi>
                  ${id === token.id && html` <span class="tag"><${Icon} name="check" /> stands there</span>`}
                </th>
                <td class="with-bar"><span>${chanceOf(probability)}</span><i style=${{ width: `${100 * (probability ?? 0)}%` }}></i></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
