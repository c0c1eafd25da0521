/**
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { html } from "htm/preact";
import { Sparkline } from "../../components/sparkline.js";
import * as format from "../../format.js";

/** The losses on further datasets: at first, and now. @param {{ store: RunStore }} props */
export function FurtherLosses({ store }) {
  const evaluations = store.evaluations.value.filter(({ losses }) => Object.keys(losses).length > 0);
  if (evaluations.length === 0) return null;
  const [first, last] = [evaluations[0], evaluations[evaluations.length - 1]];
  const curve = (/** @type {string} */ name) => evaluations.map(({ losses }) => losses[name] ?? null);
  return html`
    <section class="card">
      <div class="card-head"><h2>Losses on other datasets</h2></div>
      <table class="compare">
        <thead>
          <tr>
            <th scope="col">Dataset</th>
            <th scope="col">Loss at step ${format.count(first.step)}</th>
            <th scope="col">at step ${format.count(last.step)}</th>
            <th scope="col">in between</th>
          </tr>
        </thead>
        <tbody>
          ${Object.keys(last.losses).map(
            (name) => html`
              <tr key=${name}>
                <th scope="row">${name}</th>
                <td>${format.loss(first.losses[name])}</td>
                <td>${format.loss(last.losses[name])}</td>
                <td><${Sparkline} values=${curve(name)} label=${`Loss on ${name} so far`} /></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
      <p class="muted">Neither early stopping nor the best checkpoint follows these.</p>
    </section>
  `;
}
