/**
 * @import { Comparison, Outcome, Run } from "../../types.js"
 */
import { html } from "htm/preact";
import { Explained } from "../../components/explained.js";
import { StatusBadge } from "../../components/status-badge.js";
import * as format from "../../format.js";
import { runLink } from "../../router.js";

/** @type {{ title: string, number: string, of: (outcome: Outcome) => string }[]} */
const COLUMNS = [
  { title: "Best validation loss", number: "best", of: (one) => format.loss(one.best_validation_loss) },
  { title: "at step", number: "best_step", of: (one) => format.count(one.best_step) },
  { title: "Last validation loss", number: "validation", of: (one) => format.loss(one.validation_loss) },
  { title: "Last training loss", number: "loss", of: (one) => format.loss(one.loss) },
  { title: "Time", number: "time", of: (one) => format.duration(one.seconds) },
  { title: "Steps", number: "step", of: (one) => format.count(one.steps) },
  { title: "Tokens trained", number: "tokens", of: (one) => format.short(one.tokens) },
  { title: "Tokens/s", number: "speed", of: (one) => format.count(one.tokens_per_s) },
  { title: "Peak memory", number: "peak_memory", of: (one) => format.bytes(one.peak_memory_bytes) },
  { title: "Weights", number: "weights", of: (one) => format.short(one.parameters) },
];

/** How the runs ended, the lowest best validation loss marked, and repeated seeds summed up. @param {{ comparison: Comparison }} props */
export function Outcomes({ comparison: { runs, outcomes, groups } }) {
  const losses = outcomes.map((one) => one.best_validation_loss).filter((loss) => loss !== null);
  const best = losses.length > 1 ? Math.min(...losses) : null;
  const further = [...new Set(outcomes.flatMap((one) => Object.keys(one.losses)))];
  const columns = [
    ...COLUMNS,
    ...further.map((name) => ({ title: `Loss on ${name}`, number: "further_loss", of: (/** @type {Outcome} */ one) => format.loss(one.losses[name]) })),
  ];
  return html`
    <section class="card">
      <div class="card-head"><h2>How they ended</h2></div>
      <div class="scroll" tabindex="0" role="region" aria-label="How they ended">
        <table class="compare side-by-side">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Status</th>
              ${columns.map(({ title, number }) => html`<th key=${title} scope="col"><${Explained} number=${number}>${title}<//></th>`)}
            </tr>
          </thead>
          <tbody>
            ${runs.map((run, i) => html`<${Row} key=${run.id} columns=${columns} run=${run} outcome=${outcomes[i]} best=${best} />`)}
          </tbody>
        </table>
      </div>
      ${groups.map((group) => html`<${Group} key=${group.runs[0]} group=${group} runs=${runs} />`)}
    </section>
  `;
}

/** @param {{ columns: typeof COLUMNS, run: Run, outcome: Outcome, best: number | null }} props */
function Row({ columns, run, outcome, best }) {
  const isBest = best !== null && outcome.best_validation_loss === best;
  return html`
    <tr class=${isBest ? "best" : undefined}>
      <th scope="row"><a href=${runLink(run.id)}>${run.name}</a></th>
      <td><${StatusBadge} status=${run.status} /></td>
      ${columns.map(
        ({ title, of }, i) => html`<td key=${title}>${of(outcome)}${i === 0 && isBest && html`<small>lowest</small>`}</td>`,
      )}
    </tr>
  `;
}

/** @param {{ group: Comparison["groups"][number], runs: Run[] }} props */
function Group({ group, runs }) {
  const first = runs.find((run) => run.id === group.runs[0]);
  const spread = group.deviation === null ? "" : `, standard deviation ${format.number(group.deviation)}`;
  return html`
    <p class="muted">
      “${first?.name}” and ${group.runs.length - 1} more differ by seed alone:${" "}
      ${group.mean === null
        ? "none of them has completed with a validation loss yet."
        : `best validation loss ${format.loss(group.mean)} on average of ${group.seeds} ${group.seeds === 1 ? "seed" : "seeds"}${spread}.`}
    </p>
  `;
}
