/**
 * What happened inside: each layer's gradients and updates, where the time went, and which rows stood out.
 *
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { LayersFigure } from "./inside/layers-figure.js";
import { Spikes } from "./inside/spikes.js";
import { TimeFigure } from "./inside/time-figure.js";

/** @param {{ store: RunStore }} props */
export function Inside({ store }) {
  const { inside } = store;
  useEffect(() => {
    inside.open();
  }, [inside]);
  const [layers, timing] = [inside.layers.value, inside.timing.value];
  if (!layers || !timing || (layers.parts.length === 0 && timing.shares.length === 0)) return null;
  return html`
    <section class="card inside" aria-labelledby="inside-title">
      <div class="card-head"><h2 id="inside-title">Inside</h2></div>
      ${timing.shares.length > 0 && html`<${TimeFigure} spent=${timing} />`}
      ${layers.parts.length > 0 && html`<${LayersFigure} layers=${layers} />`}
      <${Spikes} store=${store} />
    </section>
  `;
}
