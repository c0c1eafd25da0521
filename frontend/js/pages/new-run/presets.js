/** @import { Preset, System } from "../../types.js" */
import { html } from "htm/preact";
import { presetForGpu } from "../../stores/form.js";

/**
 * @param {object} props
 * @param {Preset[]} props.presets
 * @param {System["devices"]} props.devices
 * @param {string} props.chosen id
 * @param {(preset: Preset) => void} props.onChoose
 * @param {import("preact").ComponentChildren} props.children beside the lead
 */
export function Presets({ presets, devices, chosen, onChoose, children }) {
  const forGpu = presets.filter((preset) => preset.gpu_memory_bytes != null);
  const suited = presetForGpu(presets, devices);
  const card = (/** @type {Preset} */ preset) => html`
    <button type="button" class="preset" aria-pressed=${preset.id === chosen} onClick=${() => onChoose(preset)}>
      <strong>
        ${preset.title} ${preset === suited && html`<span class="tag" data-kind="best">suits this machine</span>`}
      </strong>
      <span>${preset.description}</span>
    </button>
  `;
  return html`
    <div class="presets-lead">
      <p>Pick a starting point, then change what you like. Every setting has a sensible value already.</p>
      ${children}
    </div>
    <section class="presets" aria-label="Starting points">
      ${presets.filter((preset) => !forGpu.includes(preset)).map(card)}
    </section>
    ${forGpu.length > 0 &&
    html`
      <h2 class="presets-title" id="presets-gpu">For your GPU</h2>
      <section class="presets presets-small" aria-labelledby="presets-gpu">${forGpu.map(card)}</section>
    `}
  `;
}
