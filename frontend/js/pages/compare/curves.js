/**
 * The runs' curves in one chart, its controls, and a legend with the values at the cursor.
 *
 * @import { CompareSettings } from "../../stores/compare-settings.js"
 * @import { CompareStore } from "../../stores/compare-store.js"
 * @import { Comparison } from "../../types.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useMemo } from "preact/hooks";
import { AXES } from "../../stores/compare-settings.js";
import { Check } from "../../components/check.js";
import { Segmented } from "../../components/segmented.js";
import * as format from "../../format.js";
import { OverlayChart } from "../../charts/overlay-chart.js";
import { METRICS } from "../../charts/overlay-lines.js";
import { entriesOf, itemOf } from "./entries.js";
import { Legend } from "./legend.js";

/** @type {Record<string, (x: number) => string>} */
const FORMATS = { step: format.count, tokens: format.short, time: format.duration };

/**
 * @param {object} props
 * @param {CompareStore} props.store
 * @param {Comparison} props.comparison
 * @param {CompareSettings} props.settings
 * @param {(change: Partial<CompareSettings>) => void} props.onChange
 */
export function Curves({ store, comparison, settings, onChange }) {
  const hidden = useSignal(/** @type {ReadonlySet<string>} */ (new Set()));
  const cursor = useSignal(/** @type {number | null} */ (null));
  const { bands, log, metric, axis } = settings;
  const smooth = settings.smooth && metric.type === "step"; // evaluations are too few to be noisy
  // The same entries as long as nothing of them changes, so that the still layer is not drawn again for a table's news.
  const state = JSON.stringify([bands, comparison.groups.map(({ runs }) => runs), comparison.runs.map((r) => [r.name, r.status])]);
  const entries = useMemo(() => entriesOf(comparison, bands), [state]);

  const wanted = useSignal({ entries, smooth });
  if (wanted.peek().entries !== entries || wanted.peek().smooth !== smooth) wanted.value = { entries, smooth };
  const shown = (/** @type {boolean} */ live) => {
    const { entries: all, smooth: smoothed } = wanted.value;
    return all
      .filter((entry) => entry.live === live && !hidden.value.has(entry.key))
      .map((entry) => itemOf(entry, store.lines.value, smoothed));
  };
  const still = useComputed(() => shown(false));
  const live = useComputed(() => {
    store.grown.value; // lines that grow are changed in place
    return shown(true);
  });
  const onCursor = (/** @type {number | null} */ x) => (cursor.value = x);
  const toggle = (/** @type {string} */ key) => {
    const next = new Set(hidden.peek());
    if (!next.delete(key)) next.add(key);
    hidden.value = next;
  };
  return html`
    <section class="card">
      <${Controls} settings=${settings} repeated=${comparison.groups.length > 0} onChange=${onChange} />
      <${OverlayChart}
        label=${`${metric.title} of ${comparison.runs.length} runs`}
        still=${still}
        live=${live}
        log=${log}
        formatX=${FORMATS[axis]}
        onCursor=${onCursor}
      />
      <${Legend}
        entries=${entries}
        still=${still}
        live=${live}
        hidden=${hidden}
        cursor=${cursor}
        formatX=${FORMATS[axis]}
        axis=${axis}
        onToggle=${toggle}
        onAll=${(/** @type {boolean} */ on) => (hidden.value = new Set(on ? [] : entries.map((entry) => entry.key)))}
      />
    </section>
  `;
}

/**
 * @param {object} props
 * @param {CompareSettings} props.settings
 * @param {boolean} props.repeated whether there are runs that repeat each other with other seeds
 * @param {(change: Partial<CompareSettings>) => void} props.onChange
 */
function Controls({ settings, repeated, onChange }) {
  const choose = (/** @type {Event} */ event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    onChange({ metric: METRICS.find(({ key }) => key === value) });
  };
  return html`
    <div class="card-head overlay-controls">
      <h2>${settings.metric.title}</h2>
      <select class="push" aria-label="Curve" value=${settings.metric.key} onChange=${choose}>
        ${METRICS.map(({ key, title }) => html`<option key=${key} value=${key}>${title}</option>`)}
      </select>
      <${Segmented} label="Along" name="axis" options=${AXES} value=${settings.axis} onChange=${(/** @type {any} */ axis) => onChange({ axis })} />
      ${settings.metric.type === "step" &&
      html`<${Check} label="Smooth" on=${settings.smooth} onChange=${(/** @type {boolean} */ smooth) => onChange({ smooth })} />`}
      <${Check} label="Log scale" on=${settings.log} onChange=${(/** @type {boolean} */ log) => onChange({ log })} />
      ${repeated &&
      html`<${Check} label="Seeds as a band" on=${settings.bands} onChange=${(/** @type {boolean} */ bands) => onChange({ bands })} />`}
    </div>
  `;
}
