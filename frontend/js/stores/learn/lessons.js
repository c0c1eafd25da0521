/**
 * The lessons: what is asked, which runs answer it, and how their numbers are read. Pure, and the one place for all of it:
 * the page shows them from here, and a test runs them from here.
 *
 * @import { Config } from "../../types.js"
 *
 * @typedef {[step: number, loss: number][]} Points
 *
 * @typedef {object} Result what came of one run
 * @property {Points} training
 * @property {Points} validation
 * @property {Points} further loss on a further dataset, where there is one
 *
 * @typedef {object} LessonRun
 * @property {string} title
 * @property {Config} config a dataset of `lesson:NAME` is one of lesson-texts.js, and a model of `lesson:0` that of the first run
 *
 * @typedef {object} Lesson
 * @property {string} name
 * @property {string} title
 * @property {string} teaser
 * @property {string} page of Learn
 * @property {string} story what is going to be done
 * @property {string} question
 * @property {[id: string, text: string][]} choices
 * @property {LessonRun[]} runs
 * @property {{ run: number, of: keyof Result, title: string }[]} curves to show
 * @property {string} expected the choice that should come true
 * @property {(results: Result[]) => string} answer the choice that came true
 * @property {(results: Result[]) => string} tells what the numbers are
 * @property {string} why it is so
 */
import { DATA_LESSONS } from "./lessons/data.js";
import { PACE_LESSONS } from "./lessons/pace.js";

/** @type {Lesson[]} */
export const LESSONS = [...PACE_LESSONS, ...DATA_LESSONS];

/**
 * @param {Config} config of a lesson's run
 * @param {Record<string, string>} datasets ids of the uploaded texts, by name
 * @param {string[]} runs ids of the lesson's runs so far
 * @param {number} [seed]
 * @returns {Config} as the server takes it
 */
export function configOf(config, datasets, runs, seed) {
  const known = (/** @type {string} */ value) => {
    if (!value.startsWith("lesson:")) return value;
    const name = value.slice("lesson:".length);
    return name in datasets ? datasets[name] : `run:${runs[Number(name)]}`;
  };
  const given = (/** @type {Config[string]} */ value) => {
    if (Array.isArray(value)) return typeof value[0] === "string" ? /** @type {string[]} */ (value).map(known) : value;
    return typeof value === "string" ? known(value) : value;
  };
  const filled = Object.fromEntries(Object.entries(config).map(([name, value]) => [name, given(value)]));
  return seed === undefined ? filled : { ...filled, seed };
}

/** @param {Lesson} lesson @returns {string[]} names of the texts that it needs */
export function textsOf({ runs }) {
  const names = runs.flatMap(({ config }) => [config.dataset, config.validation_dataset, ...[config.evaluation_datasets ?? []].flat()]);
  const own = names.filter((name) => typeof name === "string" && name.startsWith("lesson:"));
  return [...new Set(own.map((name) => String(name).slice("lesson:".length)))];
}

/**
 * @param {{ x: number[], series: Record<string, { mean: (number | null)[] }> }} series with the loss
 * @param {{ step: number, loss: number | null, losses?: Record<string, number | null> }[]} evaluations events
 * @returns {Result}
 */
export function resultOf({ x, series }, evaluations) {
  const points = (/** @type {[number, number | null | undefined][]} */ pairs) =>
    /** @type {Points} */ (pairs.filter(([, value]) => value !== null && value !== undefined));
  return {
    training: points(x.map((step, i) => [step, series.loss.mean[i]])),
    validation: points(evaluations.map((event) => [event.step, event.loss])),
    further: points(evaluations.map((event) => [event.step, Object.values(event.losses ?? {})[0]])),
  };
}
