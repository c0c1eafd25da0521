/** Lessons on the learning rate and on learning by heart. @import { Lesson } from "../lessons.js" */
import { loss } from "../../../format.js";
import { CLOSE, last, lower, USUAL } from "./reading.js";

/** @type {Lesson[]} */
export const PACE_LESSONS = [
  {
    name: "learning_rate_too_high",
    title: "A learning rate that is too high",
    teaser: "One setting, a hundred times larger.",
    page: "learning_rate",
    story: "Two runs learn the same sentences about errands. The first has the usual learning rate, 0.003. The second has 0.3.",
    question: "What will the high learning rate do?",
    choices: [
      ["second", "It learns faster, so its loss ends lower."],
      ["same", "Both end at about the same loss."],
      ["first", "It learns worse, so its loss ends higher."],
    ],
    runs: [
      { title: "Learning rate 0.003", config: { ...USUAL, learning_rate: 0.003, max_steps: 80, eval_steps: 10 } },
      { title: "Learning rate 0.3", config: { ...USUAL, learning_rate: 0.3, max_steps: 80, eval_steps: 10 } },
    ],
    curves: [
      { run: 0, of: "training", title: "Learning rate 0.003" },
      { run: 1, of: "training", title: "Learning rate 0.3" },
    ],
    expected: "first",
    answer: ([usual, high]) => lower(last(usual.validation), last(high.validation)),
    tells: ([usual, high]) => `Validation loss ended at ${loss(last(usual.validation))} with 0.003, and at ${loss(last(high.validation))} with 0.3.`,
    why: "Each step went so far that it jumped over the valley: the weights are thrown about, and what one batch teaches the next one destroys. A higher rate speeds things up only until the steps no longer fit the valley.",
  },
  {
    name: "overfitting",
    title: "Learning twenty lines by heart",
    teaser: "Many passes over very little text.",
    page: "overfitting",
    story: "One run reads the same twenty sentences a hundred times. Every ten passes it is tested on eighty sentences of the same kind that it never learns from.",
    question: "Training loss will fall. What will validation loss do?",
    choices: [
      ["falls", "Fall along with it to the end."],
      ["turns", "Fall at first, then turn and rise."],
      ["never", "Not fall at all."],
    ],
    runs: [
      {
        title: "Twenty lines, a hundred times",
        config: { ...USUAL, dataset: "lesson:errands-20", validation_split: 0, batch_size: 20, num_epochs: 100, eval_steps: 10 },
      },
    ],
    curves: [
      { run: 0, of: "training", title: "Training loss" },
      { run: 0, of: "validation", title: "Validation loss" },
    ],
    expected: "turns",
    answer: ([{ validation }]) => {
      const losses = validation.map(([, value]) => value);
      const lowest = losses.indexOf(Math.min(...losses));
      if (lowest === 0) return "never";
      return losses[losses.length - 1] > losses[lowest] * (1 + CLOSE) ? "turns" : "falls";
    },
    tells: ([{ training, validation }]) => {
      const lowest = validation.reduce((a, b) => (b[1] < a[1] ? b : a));
      return `Training loss ended at ${loss(last(training))}. Validation loss was lowest at step ${lowest[0]}, ${loss(lowest[1])}, and ended at ${loss(last(validation))}.`;
    },
    why: "At first the model learned what all such sentences have in common, and that helps with new ones. Then only the twenty themselves were left to learn: it now expects exactly them, and is the more surprised by any other.",
  },
  {
    name: "no_warmup",
    title: "A start without warmup",
    teaser: "The same high rate, with and without a gentle start.",
    page: "warmup",
    story: "Two runs have the same high learning rate, 0.03. In the first it climbs to it over the first quarter of the run; the second begins with all of it.",
    question: "Which run ends with the lower validation loss?",
    choices: [
      ["first", "The one with warmup."],
      ["second", "The one without: it has more time at full speed."],
      ["same", "Both the same: the start is soon forgotten."],
    ],
    runs: [
      { title: "With warmup", config: { ...USUAL, learning_rate: 0.03, warmup_ratio: 0.25, lr_scheduler: "constant", max_steps: 80, eval_steps: 10 } },
      { title: "Without warmup", config: { ...USUAL, learning_rate: 0.03, warmup_ratio: 0, lr_scheduler: "constant", max_steps: 80, eval_steps: 10 } },
    ],
    curves: [
      { run: 0, of: "training", title: "With warmup" },
      { run: 1, of: "training", title: "Without warmup" },
    ],
    expected: "first",
    answer: ([warm, cold]) => lower(last(warm.validation), last(cold.validation)),
    tells: ([warm, cold]) => `Validation loss ended at ${loss(last(warm.validation))} with warmup, and at ${loss(last(cold.validation))} without.`,
    why: "The first gradients are large, and the optimizer has not seen yet what is usual for each weight. At full rate the first steps threw the weights so far off that the run spent the rest of its time on the way back.",
  },
];
