/** What can be set, and what it does. @import { Page } from "../content.js" */
import { formula, frac, n, o, row, sub, sum, sup, v, words } from "../math.js";

/** @type {Record<string, Page>} */
export const CHOICES = {
  learning_rate: {
    about:
      "The learning rate is how far the weights move along the slope at each update. Too high and they jump over the valley, too low and they never get there; between lies a factor of ten or so in which all is well.",
    analogy: "Focusing binoculars: turn the wheel in huge jerks and you pass the sharp point each time, by a hair at a time and the bird is gone.",
    formula: {
      math: formula(v("w"), o("←"), v("w"), o("−"), v("η"), o("·"), frac(row(o("∂"), v("L")), row(o("∂"), v("w")))),
      words: "Each weight moves against its slope, by the learning rate η times that slope.",
    },
    figure: "descent",
    opens: "chart:lr",
    lesson: "learning_rate_too_high",
    also: ["learning_rate_high", "learning_rate_low", "learning_rate_schedule"],
  },
  learning_rate_schedule: {
    about:
      "The schedule changes the learning rate as the run goes on: up during warmup, then down, so that the model first finds the valley and then settles in it. Linear goes straight down, cosine along a curve, and warmup_stable_decay stays high until near the end.",
    analogy: "Sanding wood: coarse paper takes off most, fine paper makes it smooth, and in the other order you scratch what was done.",
    formula: {
      math: formula(sub(v("η"), v("t")), o("="), v("η"), o("·"), o("("), sub(v("r"), words("min")), o("+"), o("("), n(1), o("−"), sub(v("r"), words("min")), o(")"), o("·"), v("f"), o("("), v("t"), o(")"), o(")")),
      words: "The rate at step t is the full rate times a share that falls from 1 to the lowest rate; f is the schedule’s curve, from 1 to 0.",
    },
    figure: "schedule",
    opens: "chart:lr",
    also: ["warmup", "learning_rate", "no_warmup"],
  },
  warmup: {
    about:
      "During warmup the learning rate climbs from almost nothing to its full value. The first gradients of a run are large and say little, and the optimizer does not know yet what is usual, so small steps at first break nothing.",
    analogy: "You stretch before you sprint.",
    formula: {
      math: formula(sub(v("η"), v("t")), o("="), v("η"), o("·"), frac(v("t"), sub(v("t"), words("warmup")))),
      words: "At step t of the warmup the rate is the full rate times t divided by the steps of the warmup.",
    },
    figure: "schedule",
    opens: "chart:lr",
    lesson: "no_warmup",
    also: ["learning_rate_schedule", "no_warmup", "optimizer"],
  },
  batch: {
    about:
      "A batch is the examples that the model reads at once, side by side. A larger one gives a steadier gradient and uses the machine better, and takes more memory.",
    analogy: "Ask four people for the way and you can trust the answer more than one person’s; ask four hundred and you know little more but have lost the afternoon.",
    formula: {
      math: formula(v("g"), o("="), frac(n(1), v("B")), sum(row(v("i"), o("="), n(1)), v("B")), sub(v("g"), v("i"))),
      words: "The gradient of a batch is the mean of its B examples’ gradients.",
    },
    figure: "noise",
    opens: "chart:grad_norm",
    also: ["gradient_accumulation", "noise_scale", "out_of_memory"],
  },
  gradient_accumulation: {
    about:
      "Instead of one large batch, several small ones are read one after the other and their gradients added up before the weights change once. The result is that of the large batch, the memory that of a small one.",
    analogy: "A wheelbarrow that takes 50 kg moves 200 kg of sand in four trips: the heap at the end is the same.",
    formula: {
      math: formula(v("g"), o("="), frac(n(1), row(v("K"), v("B"))), sum(row(v("k"), o("="), n(1)), v("K")), sum(row(v("i"), o("="), n(1)), v("B")), sub(v("g"), row(v("k"), v("i")))),
      words: "The mean over K batches of B examples is the mean over all K times B of them.",
    },
    figure: "accumulation",
    opens: "settings",
    lesson: "accumulation",
    also: ["batch", "out_of_memory", "update"],
  },
  noise_scale: {
    about:
      "Every batch pulls in a slightly different direction. The noise scale is the batch size at which that disagreement is as large as what all agree on: well below it a larger batch helps, well above it it is wasted work.",
    analogy: "Guess the mean height of a town: ten people tell you much more than one, but ten thousand no more than a thousand.",
    formula: {
      math: formula(v("B"), o("="), frac(row(words("tr"), v("Σ")), sup(row(o("‖"), v("G"), o("‖")), n(2)))),
      words: "How much single examples’ gradients scatter, divided by the square of the length of the mean gradient.",
    },
    figure: "noise",
    opens: "microscope",
    also: ["batch", "small_batch", "gradient_accumulation"],
  },
  epoch: {
    about:
      "An epoch is one pass through all examples to learn from. Further passes teach more until the model begins to know the examples by heart.",
    analogy: "Reading a textbook again: the second time you see more, the twentieth time you know the page numbers.",
    formula: {
      math: formula(words("updates per epoch"), o("="), o("⌈"), frac(words("examples"), row(words("batch size"), o("×"), words("accumulation"))), o("⌉")),
      words: "The updates of an epoch are the examples divided by the examples of one update, rounded up.",
    },
    figure: "updates",
    opens: "chart:loss",
    lesson: "more_data",
    also: ["update", "overfitting", "early_stopping"],
  },
  early_stopping: {
    about:
      "Early stopping ends a run when several evaluations in a row brought no better validation loss. What is kept is the best checkpoint, not the last one.",
    analogy: "You stop beating the cream when it is stiff; a minute later it is butter.",
    figure: "fit",
    opens: "chart:loss",
    also: ["overfitting", "validation", "checkpoint"],
  },
  weight_decay: {
    about:
      "At each update weight decay pulls all weights a little towards zero, so that only those stay large that the data asks for again and again. It works against learning by heart.",
    analogy: "A path through a meadow: where people walk it stays, everywhere else the grass grows back.",
    formula: {
      math: formula(v("w"), o("←"), v("w"), o("·"), o("("), n(1), o("−"), v("η"), v("λ"), o(")")),
      words: "Each update multiplies a weight by 1 minus the learning rate η times the weight decay λ.",
    },
    figure: "decay",
    opens: "settings",
    also: ["regularization", "overfitting", "optimizer"],
  },
  regularization: {
    about:
      "Whatever makes it harder to learn examples by heart is called regularization: dropout hides random inputs, label smoothing takes a little certainty from the right answer, NEFTune puts noise on what is read. The model must then find what holds for more than one example.",
    analogy: "Practising a song in different keys: you learn the melody and not only where your fingers go.",
    formula: {
      math: formula(v("L"), o("="), o("("), n(1), o("−"), v("ε"), o(")"), sub(v("L"), words("target")), o("+"), frac(v("ε"), v("V")), sum(v("j"), v("V")), sub(v("L"), v("j"))),
      words: "With label smoothing ε a share of the loss is that of all V tokens alike. The losses that are shown stay those without it.",
    },
    figure: "fit",
    opens: "settings",
    also: ["weight_decay", "overfitting", "too_little_data"],
  },
  seed: {
    about:
      "The seed is where everything random begins: first weights, the order of the examples, what is sampled. The same seed with the same settings on the same machine gives the same run, to the bit.",
    analogy: "A shuffled pack of cards that you could write down: whoever has the list plays the same game.",
    figure: "noise",
    opens: "settings",
    also: ["noise_scale", "noisy_evaluation", "run"],
  },
};
