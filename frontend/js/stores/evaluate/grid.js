/**
 * Prompts × models: each is answered, and the answers to a prompt are rated against each other.
 *
 * @import { Verdict } from "../playground/votes.js"
 */
import { computed, signal } from "@preact/signals";
import { vote } from "../../server/api.js";
import { Answer } from "../playground/answer.js";
import { shuffled, votesOf } from "../playground/votes.js";

export const MOST_PROMPTS = 50;
const TEMPERATURE = 0.8;

/** @param {string} text @returns {string[]} one a line, each once */
export const promptsIn = (text) => [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];

export class Row {
  verdict = signal(/** @type {Verdict | null} */ (null));

  /** @param {string} prompt @param {Answer[]} answers in the order they are shown */
  constructor(prompt, answers) {
    this.prompt = prompt;
    this.answers = answers;
  }

  /** Whether all have been written. */
  get done() {
    return this.answers.every(({ phase, end }) => phase.value === "idle" && end.value !== null);
  }
}

export class Grid {
  rows = signal(/** @type {Row[]} */ ([]));
  busy = signal(false);
  blind = true;
  rated = computed(() => this.rows.value.filter((row) => row.verdict.value !== null).length);
  #run = 0;

  /**
   * One prompt after the other, each by all models at once.
   *
   * @param {string[]} prompts
   * @param {string[]} models
   * @param {{ seed: number, max_new_tokens: number, blind: boolean }} settings
   */
  async write(prompts, models, { blind, ...settings }) {
    this.stop();
    const run = (this.#run += 1);
    this.blind = blind;
    this.settings = { ...settings, temperature: TEMPERATURE };
    const arranged = (/** @type {Answer[]} */ answers) => (blind ? shuffled(answers) : answers);
    this.rows.value = prompts.map((prompt) => new Row(prompt, arranged(models.map((model) => new Answer(model)))));
    this.busy.value = true;
    for (const { prompt, answers } of this.rows.value) {
      await Promise.all(answers.map((answer) => answer.ask({ model: answer.model, prompt, ...this.settings })));
      if (run !== this.#run) return;
    }
    this.busy.value = false;
  }

  stop() {
    this.#run += 1;
    this.busy.value = false;
    for (const { answers } of this.rows.value) for (const answer of answers) answer.stop();
  }

  /** @param {Row} row @param {Verdict} verdict */
  async rate(row, verdict) {
    const answers = row.answers.map(({ model, text }) => ({ model, text: text.value }));
    const about = { prompt: row.prompt, blind: this.blind, settings: this.settings };
    for (const each of votesOf(answers, verdict, about)) await vote(each);
    row.verdict.value = verdict;
  }
}

/**
 * @param {{ answers: { model: string }[], verdict: Verdict | null }[]} rows
 * @returns {{ model: string, won: number, of: number }[]} how often each was rated best, the best first
 */
export function standings(rows) {
  const rated = rows.filter(({ verdict }) => verdict !== null);
  const models = [...new Set(rated.flatMap(({ answers }) => answers.map(({ model }) => model)))].sort();
  const won = (/** @type {string} */ model) => rated.filter(({ verdict }) => verdict?.kind === "better" && verdict.model === model).length;
  return models.map((model) => ({ model, won: won(model), of: rated.length })).sort((a, b) => b.won - a.won);
}
