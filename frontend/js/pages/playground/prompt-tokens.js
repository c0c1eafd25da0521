/**
 * What the model gets, token by token: a template's marks are tokens too.
 *
 * @import { GeneratedToken, GenerateRequest } from "../../types.js"
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { TokenLine } from "../../components/data/token-line.js";
import { ErrorNotice } from "../../components/notice.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { count } from "../../format.js";
import { generate } from "../../server/api.js";
import { WAYS, wayOf } from "../../stores/playground/conversation.js";

/** @param {{ store: PlaygroundStore }} props */
export function PromptTokens({ store }) {
  const open = useSignal(false);
  return html`
    <details class="prompt-tokens" onToggle=${(/** @type {Event} */ event) => (open.value = /** @type {HTMLDetailsElement} */ (event.target).open)}>
      <summary>Tokens that are sent</summary>
      ${open.value && html`<${Tokens} store=${store} />`}
    </details>
  `;
}

/** @param {{ store: PlaygroundStore }} props */
function Tokens({ store }) {
  const request = store.request();
  const { value, error, busy } = useLatest(request && JSON.stringify(request), (signal) => tokensOf(/** @type {GenerateRequest} */ (request), signal));
  const model = /** @type {string} */ (store.first.value);
  const [, meaning] = WAYS[wayOf(store.form.value, store.find(model))];
  return html`
    <p class="muted">
      ${store.nameOf(model)} ${meaning}${" "}
      <span role="status">${busy.value ? "Asking the model…" : value.value ? `${count(value.value.length)} tokens.` : ""}</span>
    </p>
    <${ErrorNotice} error=${error.value} />
    ${value.value && !error.value && html`<${TokenLine} tokens=${value.value} label="Tokens that are sent" />`}
  `;
}

/** @param {GenerateRequest} request @param {AbortSignal} signal */
async function tokensOf(request, signal) {
  const asked = { ...request, echo: true, max_new_tokens: 0, top_logprobs: 0 };
  for await (const { type, data } of generate(asked, signal)) {
    if (type === "prompt") return data.tokens.map((/** @type {GeneratedToken} */ { id, token }) => ({ id, text: token, state: "masked", start: false }));
  }
  return [];
}
