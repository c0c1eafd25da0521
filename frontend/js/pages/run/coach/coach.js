/**
 * What the coach finds of the run, the worst first: what is so, where, why it is thought so, and what to do.
 *
 * @import { ChartView } from "../../../charts/view.js"
 * @import { Config, HeldFinding } from "../../../types.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 * @import { ForkWish } from "../../../stores/fork.js"
 */
import { html } from "htm/preact";
import { Icon } from "../../../components/icon.js";
import { FindingBadge } from "../../../components/finding-badge.js";
import { learnLink } from "../../../router.js";
import { concerns, evidenceRows, hasPlace, placeText } from "../../../stores/findings.js";
import { forkSteps, nearestBefore } from "../../../stores/fork.js";

/** Steps around a finding that are shown with it, as a share of its own. */
const AROUND = 0.6;
const LEAST_AROUND = 5;

/** @param {{ store: RunStore, view: ChartView, onFork: (wish: ForkWish) => void }} props */
export function Coach({ store, view, onFork }) {
  const found = store.findings.value;
  const wrong = concerns(found);
  if (found.length === 0) return null;
  if (wrong.length === 0) return html`<${Learning} finding=${found[0]} />`;
  return html`
    <section class="card coach" aria-label="Coach">
      <div class="card-head"><h2>Coach</h2></div>
      <ul>
        ${wrong.map(
          (finding) => html`<${Item} key=${finding.rule} finding=${finding} store=${store} view=${view} onFork=${onFork} />`,
        )}
      </ul>
    </section>
  `;
}

/** All that a healthy run is told. @param {{ finding: HeldFinding }} props */
function Learning({ finding }) {
  return html`
    <p class="coach-quiet" role="status">
      <${FindingBadge} finding=${finding} /><span>${finding.text}</span>
      <a href=${learnLink(finding.rule)}>What this means</a>
    </p>
  `;
}

/** @param {{ finding: HeldFinding, store: RunStore, view: ChartView, onFork: (wish: ForkWish) => void }} props */
function Item({ finding, store, view, onFork }) {
  const { title, text, advice, evidence, fix, rule, level } = finding;
  const rows = evidenceRows(evidence);
  const show = () => {
    view.mark({ from: finding.from_step, to: finding.step, title });
    view.show(around(finding, store.series.peek().x.at(-1) ?? 0));
    document.querySelector('[data-figure="loss"]')?.scrollIntoView({ block: "center" });
  };
  return html`
    <li data-level=${level} data-rule=${rule}>
      <div class="coach-head">
        <${FindingBadge} finding=${finding} />
        <span class="muted">${placeText(finding)}</span>
      </div>
      <p class="coach-text">${text}</p>
      <p>${advice}</p>
      ${rows.length > 0 &&
      html`
        <details class="coach-evidence">
          <summary>Evidence</summary>
          <table>
            <tbody>
              ${rows.map(([name, value]) => html`<tr key=${name}><th scope="row">${name}</th><td>${value}</td></tr>`)}
            </tbody>
          </table>
        </details>
      `}
      <div class="actions">
        ${fix &&
        html`
          <button type="button" class="button small primary" onClick=${() => onFork(mended(finding, store))}>
            <${Icon} name="fork" />Fork with the fix
          </button>
        `}
        ${hasPlace(finding) &&
        html`<button type="button" class="button small" onClick=${show} aria-label=${`Show in the chart: ${title}`}>Show in the chart</button>`}
        <a class="coach-learn" href=${learnLink(rule)} aria-label=${`Learn about: ${title}`}>Learn about it</a>
      </div>
    </li>
  `;
}

/** What the fix changes, from where nothing was wrong yet. @param {HeldFinding} finding @param {RunStore} store @returns {ForkWish} */
const mended = ({ from_step: from, fix }, store) => ({
  step: nearestBefore(forkSteps(store.checkpoints.peek()), from - 1),
  changes: /** @type {Config} */ (fix),
});

/** The steps of a finding and some before and after. @param {HeldFinding} finding @param {number} end the last step there is */
function around({ from_step: from, step: to }, end) {
  const margin = Math.max(LEAST_AROUND, Math.round((to - from) * AROUND));
  const range = { from: Math.max(0, from - margin), to: Math.min(Math.max(end, to), to + margin) };
  return (range.from === 0 && range.to >= end) || range.to <= range.from ? null : range;
}
