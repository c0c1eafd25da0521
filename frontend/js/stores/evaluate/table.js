/**
 * An evaluation as a table of models × datasets. Pure.
 *
 * @import { Evaluation, EvaluationCell } from "../../types.js"
 */
import * as format from "../../format.js";

/**
 * @typedef {object} Measure
 * @property {"loss" | "perplexity" | "bits_per_byte" | "accuracy"} key
 * @property {string} label
 * @property {string} unit
 * @property {string} help
 * @property {(value: number | null | undefined) => string} show
 */

/** @type {Measure[]} */
export const MEASURES = [
  {
    key: "bits_per_byte",
    label: "Bits per byte",
    unit: "",
    help: "How many bits the model needs for each byte of text. Compares models with different tokenizers. Lower is better.",
    show: (value) => (value == null ? "–" : value.toFixed(3)),
  },
  {
    key: "loss",
    label: "Loss",
    unit: "nats per token",
    help: "What training brings down. Compares models with the same tokenizer. Lower is better.",
    show: format.loss,
  },
  {
    key: "perplexity",
    label: "Perplexity",
    unit: "",
    help: "Between how many tokens the model wavers, as it were. Compares models with the same tokenizer. Lower is better.",
    show: (value) => (value == null ? "–" : value >= 1e6 ? format.short(value) : value >= 1000 ? format.count(value) : format.number(value)),
  },
  {
    key: "accuracy",
    label: "Accuracy",
    unit: "of tokens",
    help: "How often the next token is the one that the model finds likeliest. Higher is better.",
    show: (value) => (value == null ? "–" : `${(100 * value).toFixed(1)}%`),
  },
];

/** @param {Evaluation} evaluation @param {string} model @param {string} dataset @returns {EvaluationCell | null} */
export const cellAt = ({ cells }, model, dataset) =>
  cells.find((cell) => cell.model === model && cell.dataset === dataset) ?? null;

/**
 * @param {Evaluation} evaluation
 * @param {Measure["key"]} key
 * @param {string} dataset
 * @returns {string | null} the model that is best there; null as long as there are not two to choose from, or if they are equal
 */
export function bestOn(evaluation, key, dataset) {
  const found = evaluation.models.flatMap(({ id }) => {
    const value = cellAt(evaluation, id, dataset)?.scores?.[key];
    return value == null ? [] : [{ id, value: key === "accuracy" ? -value : value }];
  });
  if (found.length < 2) return null;
  found.sort((a, b) => a.value - b.value);
  return found[0].value < found[1].value ? found[0].id : null;
}

const COLUMNS = /** @type {const} */ ([
  "model", "dataset", "loss", "perplexity", "bits_per_byte", "accuracy", "tokens", "bytes", "examples", "seconds", "error",
]);

/** One line for each cell. @param {Evaluation} evaluation */
function linesOf(evaluation) {
  return evaluation.cells.map((cell) => {
    const values = { ...cell, ...cell.scores, error: cell.error?.message, model: cell.model, dataset: cell.dataset };
    return COLUMNS.map((name) => String(values[name] ?? ""));
  });
}

/** @param {Evaluation} evaluation */
export function csvOf(evaluation) {
  const quoted = (/** @type {string} */ value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return [[...COLUMNS], ...linesOf(evaluation)].map((line) => line.map(quoted).join(",")).join("\n") + "\n";
}

/** What is shown, for a README. @param {Evaluation} evaluation @param {Measure} measure */
export function markdownOf(evaluation, measure) {
  const plain = (/** @type {string} */ text) => text.replaceAll("|", "\\|").replace(/\s+/g, " ");
  const head = [`${measure.label}${measure.unit ? ` (${measure.unit})` : ""}`, ...evaluation.datasets.map(({ name }) => plain(name))];
  const rows = evaluation.models.map(({ id, name }) => [
    plain(name),
    ...evaluation.datasets.map((dataset) => {
      const shown = measure.show(cellAt(evaluation, id, dataset.id)?.scores?.[measure.key]);
      return bestOn(evaluation, measure.key, dataset.id) === id ? `**${shown}**` : shown;
    }),
  ]);
  const rule = head.map((_, i) => (i ? "---:" : "---"));
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n") + "\n";
}

/** @param {Evaluation} evaluation @returns {string} how it stands, in a few words */
export function standingOf({ status, cells, models, datasets, progress }) {
  const all = models.length * datasets.length;
  if (status === "queued") return "Waits for its turn";
  if (status === "running") {
    const left = progress?.eta_s == null ? "" : `, ${format.remaining(progress.eta_s)}`;
    return `${cells.length} of ${all} done${left}`;
  }
  const wrong = cells.filter((cell) => cell.error).length;
  if (status === "stopped") return `Stopped after ${cells.length} of ${all}`;
  return wrong ? `Done, ${wrong} of ${all} without a result` : "Done";
}

/** @param {Evaluation} evaluation */
export const isUnfinished = ({ status }) => status === "queued" || status === "running";

/** @param {Evaluation} evaluation @returns {string[]} what else is to be known of its cells, a sentence each, said once */
export function remarksOf(evaluation) {
  const named = (/** @type {Evaluation["models"]} */ names, /** @type {string} */ id) => names.find((each) => each.id === id)?.name ?? id;
  const remarks = evaluation.cells.flatMap((cell) => {
    const where = `${named(evaluation.models, cell.model)} on ${named(evaluation.datasets, cell.dataset)}`;
    const wrong = cell.error ? [[cell.error.message, cell.error.hint].filter(Boolean).join(" ")] : [];
    return [...cell.notes, ...wrong].map((said) => /** @type {[string, string]} */ ([said, where]));
  });
  const places = new Map(remarks.map(([said]) => [said, remarks.filter(([other]) => other === said).map(([, where]) => where)]));
  return [...places].map(([said, where]) => (where.length === evaluation.cells.length ? said : `${where.join(", ")}: ${said}`));
}
