import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Icon } from "./icon.js";

/** @param {{ text: string, label: string }} props */
export function CopyButton({ text, label }) {
  const state = useSignal(/** @type {"ready" | "copied" | "refused"} */ ("ready"));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      state.value = "copied";
    } catch {
      state.value = "refused"; // no clipboard on plain-http addresses, or the browser asked and was told no
    }
  };
  const word = { ready: label, copied: "Copied", refused: "Select the text and press Ctrl+C" }[state.value];
  return html`
    <button type="button" class="button small" onClick=${copy} onBlur=${() => (state.value = "ready")}>
      <${Icon} name=${state.value === "copied" ? "check" : "copy"} /><span aria-live="polite">${word}</span>
    </button>
  `;
}
