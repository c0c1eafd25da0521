/**
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 * @import { Language } from "../../stores/playground/code.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { CopyButton } from "../../components/copy-button.js";
import { Segmented } from "../../components/segmented.js";
import { codeFor, LANGUAGES } from "../../stores/playground/code.js";

/** What the first model would be sent now, for another program. @param {{ store: PlaygroundStore }} props */
export function Code({ store }) {
  const language = useSignal(/** @type {Language} */ ("curl"));
  const request = store.request();
  if (!request) return null;
  const code = codeFor(language.value, location.origin, request);
  return html`
    <details class="fold">
      <summary><h3>As code</h3></summary>
      <div class="code">
        <${Segmented} label="Language" name="playground-code" options=${LANGUAGES} value=${language.value} onChange=${(/** @type {Language} */ chosen) => (language.value = chosen)} />
        <pre tabindex="0" aria-label="Code">${code}</pre>
        <${CopyButton} text=${code} label="Copy" />
      </div>
    </details>
  `;
}
