/**
 * What the update changed: the weights, and what the model now makes of the same row.
 *
 * @import { LookedAtToken, MicroscopeStep } from "../../types.js"
 */
import { html } from "htm/preact";
import { TextChip, TokenBox } from "../../components/models/token-box.js";
import { count } from "../../format.js";
import { directionOf, visible } from "../../stores/data/token-text.js";
import { chanceOf, change, changeMark, effect, small } from "../../stores/microscope/reading.js";
import { PartBars } from "./part-bars.js";

/** @type {Record<string, string>} */
const NAMES = { adamw: "AdamW", muon: "Muon", adamw_8bit: "8-bit AdamW" };

/** @param {{ step: MicroscopeStep }} props */
export function UpdateStage({ step }) {
  const { tokens, parts, rose, fell } = step;
  return html`
    <p class="stage-figure"><strong>${effect(step)}</strong></p>
    <p class="muted">${madeBy(step)}</p>
    <div>
      <ul class="heat-legend" aria-label="What the colours and lines mean">
        <li><span class="token" data-contrast="first-2">abc</span> likelier than before</li>
        <li><span class="token" data-contrast="second-2">abc</span> less likely</li>
      </ul>
      <${TokenBox}
        items=${tokens}
        direction=${directionOf(tokens)}
        label="The row, by how the update changed each token's probability"
        className="heat-map"
        start=${rose[0] ?? fell[0] ?? 0}
        chip=${chip}
        detail=${(/** @type {LookedAtToken | null} */ token) => html`<${Detail} token=${token} />`}
      />
    </div>
    <div class="moved">
      <${Moved} title="Became likelier" places=${rose} tokens=${tokens} />
      <${Moved} title="Became less likely" places=${fell} tokens=${tokens} />
    </div>
    <${PartBars}
      parts=${parts}
      field="update_ratio"
      title="How far the update moved each part: size of the change by size of its weights"
      unit="Update by weight"
    />
  `;
}

/** @param {MicroscopeStep} step */
function madeBy({ optimizer, optimizer_state: state, update, learning_rate: rate, learning_rate_share: share }) {
  const memory = state === "checkpoint" ? "with what it remembered at this checkpoint" : "without a memory of earlier updates";
  const full = share < 0.9995 ? `, ${small(100 * share)}% of the full one` : "";
  return `Made by ${NAMES[optimizer] ?? optimizer} ${memory}, at the learning rate of update ${count(update)}: ${small(rate)}${full}.`;
}

/** @param {LookedAtToken} token @param {string} id */
const chip = (token, id) => {
  return html`<${TextChip} id=${id} text=${token.text} attributes=${{ "data-contrast": changeMark(token) }} />`;
};

/** @param {{ token: LookedAtToken | null }} props */
function Detail({ token }) {
  if (!token) return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  if (token.nats === null || token.nats_after === null) {
    return html`<p class="token-detail muted" role="status">The first token is given: it has no loss.</p>`;
  }
  return html`
    <p class="token-detail" role="status">
      <bdi class="token-text" dir="auto">${visible(token.text)}</bdi>
      <span>loss ${token.nats.toFixed(4)} → <strong>${token.nats_after.toFixed(4)}</strong> nats</span>
      <span>chance ${chanceOf(token.probability)} → ${chanceOf(token.probability_after)}</span>
      ${!token.learned && html`<span class="muted">only read, not in the loss</span>`}
    </p>
  `;
}

/** @param {LookedAtToken} token @returns {string} the change of its probability, such as +0.12 */
function points(token) {
  const by = 100 * (change(token) ?? 0);
  return `${by > 0 ? "+" : "−"}${small(Math.abs(by))}`;
}

/** @param {{ title: string, places: number[], tokens: LookedAtToken[] }} props */
function Moved({ title, places, tokens }) {
  return html`
    <table>
      <caption>${title}</caption>
      <thead>
        <tr><th scope="col">Token, place</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Change, points</th></tr>
      </thead>
      <tbody>
        ${places.length === 0 && html`<tr><td colspan="4" class="muted">None.</td></tr>`}
        ${places.map(
          (place) => html`
            <tr key=${place}>
              <th scope="row"><bdi class="token-text" dir="auto">${visible(tokens[place].text)}</bdi> <small class="muted">${count(place + 1)}</small></th>
              <td>${chanceOf(tokens[place].probability)}</td>
              <td>${chanceOf(tokens[place].probability_after)}</td>
              <td>${points(tokens[place])}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}
