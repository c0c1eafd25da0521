/** @import { Config } from "../../types.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { Icon } from "../../components/icon.js";
import { Notice } from "../../components/notice.js";
import { configFrom } from "../../stores/import-config.js";

/**
 * Fills the form from a file on the visitor's machine; nothing is sent.
 *
 * @param {{ names: string[], onConfig: (config: Config) => void }} props names of the settings
 */
export function ImportButton({ names, onConfig }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const outcome = useSignal(/** @type {{ tone: "good" | "warning" | "error", text: string } | null} */ (null));

  const read = async (/** @type {Event} */ event) => {
    const target = /** @type {HTMLInputElement} */ (event.target);
    const file = target.files?.[0];
    if (!file) return;
    const text = await file.text();
    target.value = ""; // so that the same file can be chosen again once it is mended
    try {
      const { config, ignored } = configFrom(text, names);
      onConfig(config);
      outcome.value = ignored.length
        ? { tone: "warning", text: `Filled in from ${file.name}, without what is no setting: ${ignored.join(", ")}.` }
        : { tone: "good", text: `Filled in from ${file.name}.` };
    } catch (reason) {
      outcome.value = { tone: "error", text: /** @type {Error} */ (reason).message };
    }
  };
  return html`
    <button type="button" class="button push" onClick=${() => input.current?.click()}>
      <${Icon} name="upload" />Import a config file
    </button>
    <input ref=${input} type="file" accept=".json" aria-label="Config file to import" hidden onChange=${read} />
    ${outcome.value && html`<${Notice} tone=${outcome.value.tone}>${outcome.value.text}<//>`}
  `;
}
