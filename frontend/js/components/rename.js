import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Icon } from "./icon.js";

/**
 * A page's heading that can be changed in its place.
 *
 * @param {{ name: string, label: string, onRename: (name: string) => unknown }} props
 */
export function Rename({ name, label, onRename }) {
  const draft = useSignal(/** @type {string | null} */ (null));

  if (draft.value === null) {
    return html`
      <h1><bdi>${name}</bdi></h1>
      <button type="button" class="icon-button" aria-label="Rename" title="Rename" onClick=${() => (draft.value = name)}>
        <${Icon} name="pencil" />
      </button>
    `;
  }
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    const chosen = (draft.value ?? "").trim();
    draft.value = null;
    if (chosen && chosen !== name) onRename(chosen);
  };
  return html`
    <form class="rename" onSubmit=${save}>
      <input
        aria-label=${label}
        maxlength="120"
        value=${draft.value}
        ref=${focusOnce}
        onInput=${(/** @type {Event} */ event) => (draft.value = /** @type {HTMLInputElement} */ (event.target).value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && (draft.value = null)}
      />
      <button class="button">Save</button>
      <button type="button" class="button" onClick=${() => (draft.value = null)}>Cancel</button>
    </form>
  `;
}

/** A module function, so that Preact calls it when the input appears and not at every key. @param {HTMLInputElement | null} input */
function focusOnce(input) {
  input?.select();
}
