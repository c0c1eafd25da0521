/**
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 */
import { html } from "htm/preact";
import { ModelsInMemory } from "../../components/models/models-in-memory.js";
import { FIELDS, STOP } from "../../stores/playground/settings.js";
import { Code } from "./code.js";
import { Presets } from "./presets.js";

/** How tokens are chosen, and the same request as code. @param {{ store: PlaygroundStore }} props */
export function SettingsPanel({ store }) {
  const chat = store.form.value === "chat";
  return html`
    <aside class="playground-settings" aria-label="Settings">
      ${chat &&
      html`
        <label class="stacked">
          <span>System message</span>
          <textarea
            rows="3"
            placeholder="none"
            value=${store.system.value}
            onInput=${(/** @type {Event} */ event) => (store.system.value = valueOf(event))}
          />
        </label>
      `}
      <${Presets} store=${store} />
      <details class="fold" open>
        <summary><h3>How tokens are chosen</h3></summary>
        <div class="settings-fields">
          ${FIELDS.map(({ name, label, help, placeholder }) => {
            const change = (/** @type {Event} */ event) => (store.settings.value = { ...store.settings.value, [name]: valueOf(event) });
            return html`
              <label class="setting" title=${help}>
                <span>${label}</span>
                <input
                  type="text"
                  inputmode="decimal"
                  class="number"
                  autocomplete="off"
                  placeholder=${placeholder}
                  aria-describedby=${`help-${name}`}
                  value=${store.settings.value[name]}
                  onInput=${change}
                />
                <span class="field-help" id=${`help-${name}`}>${help}</span>
              </label>
            `;
          })}
          <label class="setting setting-wide">
            <span>Stop at</span>
            <textarea
              rows="2"
              aria-describedby="help-stop"
              value=${store.settings.value[STOP]}
              onInput=${(/** @type {Event} */ event) => (store.settings.value = { ...store.settings.value, [STOP]: valueOf(event) })}
            />
            <span class="field-help" id="help-stop">The answer ends before any of these. One per line; \\n is the end of a line.</span>
          </label>
        </div>
      </details>
      <${Code} store=${store} />
      <${ModelsInMemory} nameOf=${(/** @type {string} */ id) => store.find(id)?.name ?? id} />
    </aside>
  `;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;
