/** Lessons on batches, data and trained models. @import { Lesson, Result } from "../lessons.js" */
import { loss, number, percent } from "../../../format.js";
import { last, lower, USUAL } from "./reading.js";

/** The largest difference of two runs' training losses at the same step, as a share. @param {Result[]} results */
function farthestApart([one, other]) {
  const there = new Map(other.training);
  return Math.max(...one.training.map(([step, value]) => Math.abs(value / (there.get(step) ?? NaN) - 1)));
}

/** @type {Lesson[]} */
export const DATA_LESSONS = [
  {
    name: "accumulation",
    title: "Four small batches or one large",
    teaser: "Sixteen examples, read in two ways.",
    page: "gradient_accumulation",
    story: "Both runs learn from sixteen examples at each update. The first reads them all at once. The second reads four, four times, adds up the gradients, and then changes the weights.",
    question: "How will the two loss curves look?",
    choices: [
      ["same", "They lie on each other."],
      ["worse", "The one of small batches lies clearly higher."],
      ["better", "The one of small batches lies clearly lower."],
    ],
    runs: [
      { title: "16 at once", config: { ...USUAL, max_steps: 60, eval_steps: 20 } },
      { title: "4 × 4", config: { ...USUAL, batch_size: 4, gradient_accumulation_steps: 4, max_steps: 60, eval_steps: 20 } },
    ],
    curves: [
      { run: 0, of: "training", title: "16 at once" },
      { run: 1, of: "training", title: "4 × 4" },
    ],
    expected: "same",
    answer: (results) => {
      if (farthestApart(results) < 0.02) return "same";
      return last(results[1].training) > last(results[0].training) ? "worse" : "better";
    },
    tells: (results) => `At no step do the two losses differ by more than ${number(100 * farthestApart(results))}%.`,
    why: "A gradient is a mean over examples, and a mean does not depend on how the examples were grouped. Only the order of adding differs, so the last digits do. That is why accumulation stands in for a batch that does not fit the memory.",
  },
  {
    name: "more_data",
    title: "More text or more passes",
    teaser: "The same number of updates, spent in two ways.",
    page: "epoch",
    story: "Both runs make 100 updates of sixteen examples. The first goes through a thousand sentences once or twice; the second through thirty sentences, over and over. Both are tested on eighty others.",
    question: "Which run ends with the lower validation loss?",
    choices: [
      ["first", "The one with a thousand sentences."],
      ["second", "The one with thirty: it knows its sentences better."],
      ["same", "Both the same: they learned for as long."],
    ],
    runs: [
      { title: "1,000 sentences", config: { ...USUAL, learning_rate: 0.003, max_steps: 100, eval_steps: 10 } },
      {
        title: "30 sentences",
        // The first run's design and tokenizer, so that the two losses count the same tokens.
        config: { ...USUAL, model_name: "lesson:0", from_scratch: true, dataset: "lesson:errands-30", learning_rate: 0.003, max_steps: 100, eval_steps: 10 },
      },
    ],
    curves: [
      { run: 0, of: "validation", title: "1,000 sentences, validation" },
      { run: 1, of: "validation", title: "30 sentences, validation" },
      { run: 1, of: "training", title: "30 sentences, training" },
    ],
    expected: "first",
    answer: ([many, few]) => lower(last(many.validation), last(few.validation)),
    tells: ([many, few]) =>
      `Validation loss ended at ${loss(last(many.validation))} with a thousand sentences, and at ${loss(last(few.validation))} with thirty, whose training loss ended at ${loss(last(few.training))}.`,
    why: "Thirty sentences are soon known by heart: their own loss falls lower and lower, and what is learned last is of no use elsewhere. A thousand show more of what can be said, so what holds for them holds for others too.",
  },
  {
    name: "base_and_tuned",
    title: "What a tuned model forgets",
    teaser: "A model that knows errands learns the weather.",
    page: "model",
    story: "First a base model learns sentences about errands. Then a second run goes on from it and learns weather reports. At every evaluation it is tested on both.",
    question: "After it has learned the weather, how good is it at errands?",
    choices: [
      ["better", "Better than before: it has learned more in all."],
      ["same", "As good as before."],
      ["worse", "Worse than before."],
    ],
    runs: [
      { title: "Base: errands", config: { ...USUAL, max_steps: 100, eval_steps: 50 } },
      {
        title: "Tuned: weather",
        config: {
          ...USUAL, model_name: "lesson:0", dataset: "lesson:weather", validation_dataset: null, validation_split: 0.2,
          evaluation_datasets: ["lesson:errands-unseen"], learning_rate: 0.001, max_steps: 60, eval_steps: 10, sample_prompts: ["Oslo"],
        },
      },
    ],
    curves: [
      { run: 1, of: "validation", title: "Loss on weather" },
      { run: 1, of: "further", title: "Loss on errands" },
    ],
    expected: "worse",
    answer: ([, { further }]) => ({ first: "worse", second: "better", same: "same" })[lower(further[0][1], last(further))],
    tells: ([, { validation, further }]) =>
      `On weather its loss went from ${loss(validation[0][1])} to ${loss(last(validation))}; on errands from ${loss(further[0][1])} to ${loss(last(further))}, ${percent(100 * Math.abs(last(further) / further[0][1] - 1))} ${last(further) > further[0][1] ? "higher" : "lower"}.`,
    why: "All weights are shared. Those that the weather needs are changed, and nothing says any more what errands need. A share of the old text in a mixture, a lower learning rate, or LoRA keeps more of what was known.",
  },
];
