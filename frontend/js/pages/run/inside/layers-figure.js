/**
 * @import { Layers } from "../../../types.js"
 * @import { HeatMap, Quantity } from "../../../stores/inside.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useCallback, useMemo } from "preact/hooks";
import { HeatMap as Picture } from "../../../charts/heat-map.js";
import { Segmented } from "../../../components/segmented.js";
import * as format from "../../../format.js";
import { cellText, columnsShown, heatMapOf, MEANINGS, QUANTITIES, shadeOf, ticksOf } from "../../../stores/inside.js";

const TABLE_COLUMNS = 8;
const TICKS = 3;

/** Each layer's gradients and updates over the run. @param {{ layers: Layers }} props */
export function LayersFigure({ layers }) {
  const quantity = useSignal(/** @type {Quantity} */ ("grad_norm"));
  const map = useMemo(() => heatMapOf(layers, quantity.value), [layers, quantity.value]);
  const verdict = layers.noise_scale?.verdict;
  return html`
    <section class="inside-part" aria-labelledby="layers-title">
      <div class="card-head">
        <h3 id="layers-title">Layers</h3>
        <div class="push">
          <${Segmented}
            label="What is shown of each layer"
            name="layers-quantity"
            options=${Object.entries(QUANTITIES)}
            value=${quantity.value}
            onChange=${(/** @type {Quantity} */ value) => (quantity.value = value)}
          />
        </div>
      </div>
      <p class="muted">${MEANINGS[quantity.value]}</p>
      ${map
        ? html`
            <${Cells} map=${map} label=${`${QUANTITIES[quantity.value]} of each layer over the updates`} />
            <${Legend} map=${map} />
            <${Table} map=${map} caption=${QUANTITIES[quantity.value]} />
          `
        : html`<p class="muted">Not measured with this optimizer.</p>`}
      ${verdict && html`<p>${verdict} <span class="muted">${certainty(layers)}</span></p>`}
    </section>
  `;
}

/** @param {{ map: HeatMap, label: string }} props */
function Cells({ map, label }) {
  const shade = useCallback(
    (/** @type {number} */ row, /** @type {number} */ column) => shadeOf(map, map.values[row][column]),
    [map],
  );
  const say = (/** @type {number} */ row, /** @type {number} */ column) => cellText(map, row, column);
  return html`<${Picture} grid=${map} shade=${shade} say=${say} label=${label} />`;
}

/** @param {Layers} layers */
function certainty({ noise_scale }) {
  if (!noise_scale) return "";
  const { low, high, updates } = noise_scale;
  return `Gradient noise scale: between ${format.number(low)} and ${format.number(high)} examples, from ${format.count(updates)} updates.`;
}

/** What the colours stand for. @param {{ map: HeatMap }} props */
function Legend({ map }) {
  return html`
    <div class="layers-legend">
      <div class="layers-scale" aria-hidden="true"></div>
      <ol aria-label="From the faintest to the strongest colour">
        ${ticksOf(map, TICKS).map((value) => html`<li key=${value}>${format.number(value)}</li>`)}
      </ol>
    </div>
  `;
}

/** The same in numbers, for whoever cannot see it. @param {{ map: HeatMap, caption: string }} props */
function Table({ map, caption }) {
  const columns = columnsShown(map.x.length, TABLE_COLUMNS);
  return html`
    <details>
      <summary>As a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label=${`${caption} as a table`}>
        <table class="compare">
          <caption class="visually-hidden">${caption} of each layer, at some updates</caption>
          <thead>
            <tr>
              <th scope="col">Layer</th>
              ${columns.map((column) => html`<th key=${column} scope="col">step ${format.count(map.x[column])}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${map.parts.map(
              (part, row) => html`
                <tr key=${part}>
                  <th scope="row">${part}</th>
                  ${columns.map((column) => html`<td key=${column}>${format.number(map.values[row][column])}</td>`)}
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </details>
  `;
}
