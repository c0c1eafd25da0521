/**
 * A lesson as it goes: its texts are uploaded, its runs started one after the other, their curves followed, and read at the end.
 *
 * @import { Dataset, Run, RunEvent } from "../../types.js"
 * @import { Lesson, Result } from "./lessons.js"
 */
import { signal } from "@preact/signals";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { Stream } from "../../server/stream.js";
import { applyEvent, hasEnded } from "../run-state.js";
import { configOf, resultOf, textsOf } from "./lessons.js";
import { forget, keepProgress, progressOf } from "./progress.js";
import { TEXTS } from "./lesson-texts.js";

export class LessonStore {
  guess;
  /** The lesson's runs so far, in its order. */
  runs = signal(/** @type {Run[]} */ ([]));
  results = signal(/** @type {Result[]} */ ([]));
  /** The choice that came true, once all runs have ended. */
  outcome = signal(/** @type {string | null} */ (null));
  /** A run that did not complete, which ends the lesson. */
  broken = signal(/** @type {Run | null} */ (null));
  busy = signal(false);
  error = signal(/** @type {ApiError | null} */ (null));
  #lesson;
  /** @type {Stream | null} */
  #stream = null;
  #closed = false;

  /** @param {Lesson} lesson */
  constructor(lesson) {
    this.#lesson = lesson;
    this.guess = signal(progressOf(lesson.name).guess);
  }

  /** Takes up what this browser began before. */
  open() {
    const { guess, runs } = progressOf(this.#lesson.name);
    if (guess && runs.length > 0) this.#guarded(() => this.#follow(runs));
  }

  close() {
    this.#closed = true;
    this.#stream?.close();
  }

  /** @param {string} guess */
  choose(guess) {
    this.guess.value = guess;
  }

  async start() {
    keepProgress(this.#lesson.name, { guess: this.guess.value, runs: [], ended: null });
    await this.#guarded(() => this.#follow([]));
  }

  again() {
    this.#stream?.close();
    forget(this.#lesson.name);
    this.guess.value = null;
    this.runs.value = [];
    this.results.value = [];
    this.outcome.value = null;
    this.broken.value = null;
    this.error.value = null;
  }

  /** @param {string[]} started ids of the runs that there are already */
  async #follow(started) {
    for (let i = 0; i < this.#lesson.runs.length && !this.#closed; i++) {
      const run = i < started.length ? await api.getRun(started[i]) : await this.#startRun(i);
      this.runs.value = [...this.runs.value.slice(0, i), run];
      await this.#watch(i);
      if (this.#closed) return;
      const ended = this.runs.value[i];
      if (ended.status !== "completed") {
        this.broken.value = ended;
        return;
      }
    }
    if (this.#closed) return;
    this.outcome.value = this.#lesson.answer(this.results.value);
    keepProgress(this.#lesson.name, { ended: this.outcome.value });
  }

  /** @param {number} i */
  async #startRun(i) {
    const { title, config } = this.#lesson.runs[i];
    const datasets = await this.#upload();
    const before = this.runs.value.map(({ id }) => id);
    const wanted = { ...configOf(config, datasets, before), name: `Lesson: ${title}` };
    const run = await api.createRun(wanted, api.idempotencyKey());
    keepProgress(this.#lesson.name, { runs: [...before, run.id] });
    return api.changeRun(run.id, { tags: ["lesson"] });
  }

  /** The texts that this lesson needs; the same content again is the dataset there is. @returns {Promise<Record<string, string>>} */
  async #upload() {
    const { signal } = new AbortController();
    const names = textsOf(this.#lesson);
    const sent = names.map((name) => api.uploadDataset(new File([TEXTS[name]()], `lesson-${name}.txt`), () => {}, signal));
    const datasets = /** @type {Dataset[]} */ (await Promise.all(sent));
    return Object.fromEntries(names.map((name, i) => [name, datasets[i].id]));
  }

  /** Until the run has ended. @param {number} i */
  async #watch(i) {
    const run = this.runs.value[i];
    const [[series], evaluations] = await Promise.all([api.getSeriesOf([run.id], ["loss"]), api.getEvaluations(run.id)]);
    this.#put(i, resultOf(/** @type {any} */ (series), evaluations.items));
    if (hasEnded(run.status)) return;
    await new Promise((resolve) => {
      const after = Math.min(series.stream_cursor, evaluations.stream_cursor);
      this.#stream = new Stream(`/api/runs/${encodeURIComponent(run.id)}/stream`, after, {
        onEvents: (events) => this.#apply(i, events),
        onConnection: () => {},
        onEnd: () => resolve(undefined),
      });
    });
    this.runs.value = this.runs.value.with(i, await api.getRun(run.id));
  }

  /** @param {number} i @param {RunEvent[]} events */
  #apply(i, events) {
    this.runs.value = this.runs.value.with(i, events.reduce(applyEvent, this.runs.value[i]));
    const { training, validation, further } = this.results.value[i];
    for (const event of events) {
      if (event.type === "step" && event.loss !== null) after(training, event.step, event.loss);
      if (event.type === "evaluation") {
        const { validation: [own], further: [other] } = resultOf({ x: [], series: { loss: { mean: [] } } }, [event]);
        if (own) after(validation, ...own);
        if (other) after(further, ...other);
      }
    }
    this.#put(i, { training: [...training], validation: [...validation], further: [...further] });
  }

  /** @param {number} i @param {Result} result */
  #put(i, result) {
    this.results.value = [...this.results.value.slice(0, i), result];
  }

  /** @param {() => Promise<void>} work */
  async #guarded(work) {
    this.busy.value = true;
    this.error.value = null;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
    }
    this.busy.value = false;
  }
}

/** A point that is in already is passed over. @param {[number, number][]} points @param {number} step @param {number} value */
function after(points, step, value) {
  if (points.length === 0 || points[points.length - 1][0] < step) points.push([step, value]);
}
