/**
 * What the numbers on the pages are: each with its unit, what is usual, where it comes from, and its page of Learn. Pure.
 *
 * @typedef {object} Meaning
 * @property {string} what
 * @property {string} [unit]
 * @property {string} [usual]
 * @property {string} from
 * @property {string} page
 */

/** @type {Record<string, Meaning>} */
export const NUMBERS = {
  loss: {
    what: "How surprised the model was by the tokens that really came, in the latest update. Lower is better.",
    unit: "nats per token",
    usual: "A new model begins near 7; tiny ends the sample between 1 and 2; a trained model begins near 3.",
    from: "Measured by the worker at each step, over the tokens that were learned.",
    page: "loss",
  },
  validation: {
    what: "The same on examples the model never learns from: whether it understands, or only learns by heart.",
    unit: "nats per token",
    usual: "A little above training loss. If it rises while that one falls, the model overfits.",
    from: "The latest evaluation, over all tokens that were kept aside.",
    page: "validation",
  },
  best: {
    what: "The lowest validation loss so far. The checkpoint from that moment is kept.",
    unit: "nats per token",
    usual: "In a healthy run it is the latest one, until late.",
    from: "The lowest of all evaluations.",
    page: "early_stopping",
  },
  rate: {
    what: "How far the weights move at each update, right now.",
    usual: "At most 0.003 for tiny, 0.00005 for a trained model, 0.0002 with LoRA; it climbs at first, then follows the schedule.",
    from: "Worked out from the settings for each step.",
    page: "learning_rate",
  },
  speed: {
    what: "Tokens, pieces of words, that the model learns from each second.",
    unit: "tokens per second",
    usual: "Several thousand for tiny on two cores; a drop that lasts means that something else takes the machine.",
    from: "Tokens of the latest update, divided by its time.",
    page: "throughput",
  },
  step: {
    what: "How many updates of the weights were made, and how many there will be.",
    unit: "updates",
    usual: "A few hundred for a small run, many thousands for a large one.",
    from: "Epochs times examples, divided by the examples of one update; or Max steps.",
    page: "update",
  },
  epoch: {
    what: "How often all examples were gone through; 1.50 is one and a half times.",
    unit: "passes",
    usual: "1 to 3 for fine-tuning.",
    from: "Examples learned so far, divided by how many there are.",
    page: "epoch",
  },
  weights: {
    what: "The numbers that the model consists of. More can hold more, and take more memory and time.",
    usual: "Half a million for tiny, 124 million for GPT-2, billions for chat models.",
    from: "Counted when the model was loaded.",
    page: "model",
  },
  examples_per_update: {
    what: "How many examples one update learns from: batch size times gradient accumulation, times GPUs.",
    unit: "examples",
    usual: "16 to 64 for fine-tuning.",
    from: "The settings, or what was left of them after a lack of memory.",
    page: "batch",
  },
  best_step: {
    what: "The update after which validation loss was lowest.",
    unit: "update",
    usual: "Near the end; much earlier means that the rest was learning by heart.",
    from: "The best of all evaluations.",
    page: "early_stopping",
  },
  time: {
    what: "How long the run took, from its start to its end.",
    usual: "About a minute for the sample run.",
    from: "The clock, pauses among it.",
    page: "time_spent",
  },
  tokens: {
    what: "How many tokens the run learned from, each pass counted.",
    unit: "tokens",
    usual: "The sample has about 175 thousand in each epoch.",
    from: "Counted by the worker.",
    page: "tokens",
  },
  peak_memory: {
    what: "The most memory that the run held at any time.",
    usual: "16 bytes for each weight, and what the batch takes on top.",
    from: "Of the process on a processor, of the card on a GPU.",
    page: "memory",
  },
  further_loss: {
    what: "Loss on a further dataset, which the model does not learn from.",
    unit: "nats per token",
    usual: "Rises if the model forgets that kind of text.",
    from: "The latest evaluation on that dataset.",
    page: "validation",
  },
  examples: {
    what: "How many examples the model will learn from, and how many are kept aside to test on.",
    unit: "examples",
    usual: "A thousand or more make a result worth having.",
    from: "The dataset’s rows, divided by Validation split.",
    page: "dataset",
  },
  tokens_per_epoch: {
    what: "How many tokens one pass through all examples has.",
    unit: "tokens",
    usual: "A page of text is about 500.",
    from: "Counted, or for long files estimated from their beginning.",
    page: "tokens",
  },
  updates: {
    what: "How many times the weights will be changed.",
    unit: "updates",
    usual: "Under a hundred is a look, a few hundred a small run.",
    from: "Epochs times examples, divided by the examples of one update; or Max steps.",
    page: "update",
  },
  disk: {
    what: "What the run’s checkpoints and its model will take on the disk.",
    usual: "About 12 bytes for each weight and checkpoint.",
    from: "The weights, the optimizer’s memory, and how many checkpoints are kept.",
    page: "checkpoint",
  },
  forecast_time: {
    what: "How long the training will take on this machine.",
    usual: "Within a third of what it takes in the end; measuring comes closer.",
    from: "The model’s sums and this machine’s measured speed, or a few real updates.",
    page: "time_spent",
  },
};
