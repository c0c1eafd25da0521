/**
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Icon } from "../../components/icon.js";
import { dropPreset, keepPreset, ownPresets } from "../../stores/playground/kept.js";
import { PRESETS, presetIn, presetValues } from "../../stores/playground/settings.js";

/** Settings by name: ours, and those that this browser keeps. @param {{ store: PlaygroundStore }} props */
export function Presets({ store }) {
  const own = useSignal(ownPresets());
  const name = useSignal(/** @type {string | null} */ (null));
  const all = [...PRESETS, ...own.value];
  const current = presetIn(store.settings.value, [...own.value, ...PRESETS]);

  const choose = (/** @type {Event} */ event) => {
    const preset = all[Number(/** @type {HTMLSelectElement} */ (event.target).value)];
    if (preset) store.settings.value = { ...store.settings.value, ...preset.values };
  };
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    const title = name.value?.trim();
    if (title) keepPreset(title, presetValues(store.settings.value));
    own.value = ownPresets();
    name.value = null;
  };
  const drop = () => {
    if (current) dropPreset(current.name);
    own.value = ownPresets();
  };
  return html`
    <div class="presets-bar">
      <label class="stacked">
        <span>Preset</span>
        <select value=${current ? String(all.indexOf(current)) : ""} onChange=${choose}>
          <option value="" disabled>Your own settings</option>
          ${all.map((preset, place) => html`<option value=${place}>${preset.name}</option>`)}
        </select>
      </label>
      ${current?.own
        ? html`<button type="button" class="icon-button" aria-label=${`Delete the preset ${current.name}`} title="Delete this preset" onClick=${drop}><${Icon} name="trash" /></button>`
        : html`<button type="button" class="icon-button" aria-label="Save as a preset" title="Save as a preset" onClick=${() => (name.value = "")}><${Icon} name="plus" /></button>`}
      ${name.value !== null &&
      html`
        <form class="preset-name" onSubmit=${save}>
          <input
            aria-label="Name of the preset"
            placeholder="Name"
            maxlength="60"
            ref=${(/** @type {HTMLInputElement | null} */ box) => box?.focus()}
            value=${name.value}
            onInput=${(/** @type {Event} */ event) => (name.value = /** @type {HTMLInputElement} */ (event.target).value)}
          />
          <button class="button small">Save</button>
        </form>
      `}
    </div>
  `;
}
