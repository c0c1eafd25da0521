/**
 * What a dataset holds, counted: at once for a small one, else when asked for.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Dataset, Statistics } from "../../types.js"
 */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { datasetStatistics } from "../../server/api.js";
import { ErrorNotice, Notes } from "../../components/notice.js";
import { useTask } from "../../components/hooks/use-task.js";
import { count, share } from "../../format.js";
import { Histogram } from "./histogram.js";
import { NearDuplicatesSection } from "./near-duplicates.js";
import { TextProblems } from "./text-problems.js";

const COUNTED_AT_ONCE_BYTES = 5e6;
const PAUSE_MS = 500;

/**
 * @typedef {object} Props
 * @property {Dataset} dataset
 * @property {string} model
 * @property {string} longest
 * @property {Signal<boolean>} byGroup whether to split by group
 * @property {(row: number) => void} onRow
 */

/** @param {Props} props */
export function StatisticsCard({ dataset, model, longest, byGroup, onRow }) {
  /** @type {ReturnType<typeof useTask<{ text: string }, Statistics>>} */
  const task = useTask();
  const small = dataset.bytes <= COUNTED_AT_ONCE_BYTES;
  const begin = () => {
    const query = { model_name: model, max_length: longest, split_by_group: String(byGroup.value) };
    task.start((signal) => datasetStatistics(dataset.id, query, signal));
  };

  useEffect(() => {
    task.cancel();
    if (!small) return undefined;
    const timer = setTimeout(begin, task.result.peek() ? PAUSE_MS : 0); // while a number is still being typed
    return () => clearTimeout(timer);
  }, [model, longest, JSON.stringify(dataset.reading)]);

  useEffect(() => {
    if (task.result.peek()) begin();
  }, [byGroup.value]);

  const { busy, progress, result, error } = task;
  const documents = dataset.reading.kind === "document";
  return html`
    <section aria-label="Statistics" aria-busy=${busy.value}>
      <div class="actions" role="status">
        ${busy.value
          ? html`
              <span class="muted">${progress.value?.text ?? "Waiting for its turn"}</span>
              <button type="button" class="button small" onClick=${task.cancel}>Cancel</button>
            `
          : !small && html`<button type="button" class="button" onClick=${begin}>Count everything</button>`}
      </div>
      <${ErrorNotice} error=${error.value} />
      ${result.value &&
      !error.value &&
      html`
        <${Figures} statistics=${result.value} documents=${documents} onRow=${onRow} />
        <${TextProblems} problems=${result.value.text_problems} onRow=${onRow} />
        <${NearDuplicatesSection}
          dataset=${dataset}
          found=${result.value.near_duplicates}
          validation=${result.value.validation_rows}
          byGroup=${byGroup}
          onRow=${onRow}
        />
      `}
    </section>
  `;
}

/** @param {{ statistics: Statistics, documents: boolean, onRow: (row: number) => void }} props */
function Figures({ statistics, documents, onRow }) {
  const { tokens } = statistics;
  const about = tokens.exact ? "" : "about ";
  const empty = statistics.empty_rows ? `${count(statistics.empty_rows)} empty rows left out` : "";
  const rowButton = (/** @type {number | null} */ row) =>
    row !== null && html`<button type="button" class="link" onClick=${() => onRow(row)}>row ${count(row)}</button>`;
  const cut = `${about}${count(tokens.truncated)} examples over ${count(tokens.max_length)} tokens`;
  const near = statistics.near_duplicates;
  // Documents are handed over in sections, whose length says nothing of the text.
  const lengths = /** @type {[string, any, any][]} */ ([
    ["Longest", `${count(tokens.longest)} tokens`, rowButton(tokens.longest_row)],
    ["Cut off", share(tokens.truncated_share, 1), cut],
  ]);
  const figures = /** @type {[string, any, any][]} */ ([
    [documents ? "Sections" : "Examples", count(statistics.rows), empty],
    ["For training", count(statistics.train_rows), `${count(statistics.validation_rows)} for validation`],
    ["Duplicates", count(statistics.duplicate_rows), share(statistics.duplicate_rows, statistics.rows)],
    ["Near-duplicates", count(near.rows), near.rows ? groups(near) : ""],
    ["Tokens", `${about}${count(tokens.total)}`, documents ? "" : `${count(tokens.median)} in the middle example`],
    ["Learned", share(tokens.trained, tokens.total), `${about}${count(tokens.trained)} tokens`],
    ...(documents ? [] : lengths),
  ]);
  return html`
    <div class="statistics">
      <dl class="figures">
        ${figures.map(
          ([label, value, note]) => html`
            <div key=${label}><dt>${label}</dt><dd>${value}</dd><dd class="muted">${note}</dd></div>
          `,
        )}
      </dl>
      ${!documents && html`<${Histogram} tokens=${tokens} />`}
    </div>
    <${Notes} notes=${tokens.notes} />
    ${!tokens.exact &&
    html`<p class="muted">Token counts are estimates from ${count(tokens.examples)} examples, drawn evenly.</p>`}
    ${tokens.untrained > 0 &&
    html`
      <p class="untrained">
        ${about}${count(tokens.untrained)} ${tokens.untrained === 1 ? "example holds" : "examples hold"} nothing to learn${" "}
        within ${count(tokens.max_length)} tokens and ${tokens.untrained === 1 ? "is" : "are"} left out:${" "}
        ${tokens.untrained_rows.map((row, i) => html`${i > 0 ? ", " : ""}${rowButton(row)}`)}
        ${tokens.untrained > tokens.untrained_rows.length ? " and more" : ""}.
      </p>
    `}
  `;
}

/** @param {Statistics["near_duplicates"]} near */
const groups = ({ groups, largest_group: largest }) =>
  groups === 1 ? "in one group" : `in ${count(groups)} groups, the largest of ${count(largest)}`;
