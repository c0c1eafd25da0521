/**
 * Tokens in reading order, each with what is known of it.
 *
 * @import { ComponentChildren } from "preact"
 * @import { Token } from "../../types.js"
 */
import { html } from "htm/preact";
import { Chip, TokenBox } from "../models/token-box.js";
import { count } from "../../format.js";
import { directionOf, noteOf, STATES, visible } from "../../stores/data/token-text.js";

/**
 * @template {{ id: number, text: string }} T
 * @param {object} props
 * @param {T[]} props.tokens
 * @param {string} props.label
 * @param {(token: T) => Record<string, unknown>} [props.attributesOf] what a token looks like; as training sees it without
 * @param {(props: { token: any }) => ComponentChildren} [props.detail] what is told of the active one
 */
export function TokenLine({ tokens, label, attributesOf = stateOf, detail = Trained }) {
  return html`
    <${TokenBox}
      items=${tokens}
      direction=${directionOf(tokens)}
      label=${label}
      chip=${(/** @type {T} */ token, /** @type {string} */ id) => html`<${Chip} id=${id} text=${token.text} shown=${visible(token.text)} attributes=${attributesOf(token)} />`}
      detail=${(/** @type {T | null} */ token, /** @type {number} */ index) =>
        html`<${Detail} token=${token} index=${index} all=${tokens.length} more=${detail} />`}
    />
  `;
}

/** @param {any} token a Token */
const stateOf = ({ state, start }) => ({ "data-state": state, "data-start": start ? "" : undefined });

/** @param {{ token: { id: number, text: string } | null, index: number, all: number, more: (props: any) => ComponentChildren }} props */
function Detail({ token, index, all, more }) {
  if (!token) return html`<p class="token-detail muted" data-idle>Point at a token, or use the arrow keys.</p>`;
  const note = noteOf(token.text);
  return html`
    <p class="token-detail" role="status">
      <span class="muted">${count(index + 1)} of ${count(all)}</span>
      <bdi class="token-text" dir="auto">${visible(token.text)}</bdi>
      <span>id ${token.id}</span>
      <${more} token=${token} />
      ${note && html`<span class="muted">${note}</span>`}
    </p>
  `;
}

/** @param {{ token: Token }} props */
function Trained({ token: { state, start } }) {
  const [name, meaning] = STATES[state];
  return html`<span title=${meaning}>${name}</span> ${start && html`<span class="muted">an example begins here</span>`}`;
}
