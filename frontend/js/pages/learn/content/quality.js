/** How good a model is, and how one sees it. @import { Page } from "../content.js" */
import { formula, frac, n, o, row, sub, sum, sup, v, words } from "../math.js";

/** @type {Record<string, Page>} */
export const QUALITY = {
  validation: {
    about:
      "Some examples are kept aside and never learned from; now and then the model is measured on them. Their loss, the validation loss, tells whether it has understood something that holds for new text.",
    analogy: "Whoever has only practised last year’s exam does not know whether they understand the subject: a new exam shows it.",
    formula: {
      math: formula(sub(v("L"), words("val")), o("="), o("−"), frac(n(1), v("N")), sum(row(v("i"), o("="), n(1)), v("N")), words("ln"), sub(v("p"), v("i"))),
      words: "Validation loss is the mean loss over all N tokens of the examples that were kept aside.",
    },
    figure: "fit",
    opens: "chart:loss",
    also: ["overfitting", "noisy_evaluation", "leaked_validation"],
  },
  overfitting: {
    about:
      "A model overfits when it learns its examples by heart instead of what they have in common. Training loss goes on falling, while validation loss turns and rises.",
    analogy: "An actor who knows one part word for word and is lost when the other one says something new.",
    formula: {
      math: formula(words("gap"), o("="), sub(v("L"), words("val")), o("−"), sub(v("L"), words("train"))),
      words: "The gap between validation loss and training loss. Some gap is usual; one that grows while validation loss rises is overfitting.",
    },
    figure: "fit",
    opens: "chart:loss",
    lesson: "overfitting",
    see: [
      "In the Loss chart the orange dots leave their lowest point and rise, while the blue line falls.",
      "Samples repeat whole sentences of the dataset.",
    ],
    remedies: [
      "Use the best checkpoint: it was kept from the moment before the turn.",
      "Train for fewer epochs, or set Early stopping to 2 or 3 evaluations.",
      "More text helps most. Ten times the examples move the turn far to the right.",
      "Raise Weight decay to 0.1; with LoRA, set LoRA dropout to 0.05 or lower the rank.",
    ],
    also: ["validation", "too_little_data", "early_stopping"],
  },
  perplexity: {
    about:
      "Perplexity is the loss in another unit: between how many equally likely tokens the model wavers at each place. 1 is certainty; a model that knows nothing has the size of its vocabulary.",
    analogy: "A quiz with three answers that all sound right has a perplexity of three, however many answers were printed.",
    formula: { math: formula(words("PPL"), o("="), sup(v("e"), v("L"))), words: "e to the power of the loss in nats: a loss of 1.1 is a perplexity of 3." },
    figure: "softmax",
    opens: "chart:perplexity",
    also: ["loss", "bits_per_byte", "validation"],
  },
  bits_per_byte: {
    about:
      "Bits per byte is the loss counted over bytes of text instead of tokens. So models that cut text into different tokens can be compared, which their losses cannot.",
    analogy: "Two cars, one in litres per 100 km and one in miles per gallon: before you compare, you need one unit.",
    formula: {
      math: formula(words("BPB"), o("="), frac(v("L"), row(words("ln"), n(2))), o("·"), frac(words("tokens"), words("bytes"))),
      words: "The loss in nats, divided by the logarithm of 2 to make bits of it, times the tokens, divided by the bytes of the text.",
    },
    figure: "bits",
    opens: "evaluate",
    also: ["perplexity", "tokens", "loss"],
  },
  sampling: {
    about:
      "To write, the model draws the next token by its probabilities, adds it, and reads again. Temperature makes it bolder or more careful: near 0 it always takes the likeliest, above 1 it takes risks.",
    analogy: "A dice with unequal sides, and a file with which you make the sides more alike or less.",
    formula: {
      math: formula(sub(v("p"), v("i")), o("="), frac(sup(v("e"), row(sub(v("z"), v("i")), o("/"), v("T"))), row(sum(v("j"), v("V")), sup(v("e"), row(sub(v("z"), v("j")), o("/"), v("T")))))),
      words: "The scores are divided by the temperature T before softmax makes probabilities of them.",
    },
    figure: "temperature",
    opens: "samples",
    also: ["forward_pass", "perplexity", "model"],
  },
  hard_rows: {
    about:
      "Some examples are far harder for the model than others, and often something is wrong with these: another language, broken characters, the wrong answer. The hardest rows of an evaluation, and those around a spike, are kept with their loss.",
    analogy: "In a pile of exams with one grade far below the others you look at that sheet first: perhaps a page is missing.",
    figure: "softmax",
    opens: "tokens",
    also: ["spike", "dataset", "masking"],
  },
  coach: {
    about:
      "The coach reads the run’s numbers and says what they show, each time with the numbers it rests on. It keeps quiet where they show nothing, so a healthy run hears only that it is learning.",
    analogy: "A good trainer at the edge of the pitch: says little, and what they say they have seen.",
    opens: "chart:loss",
    see: ["What it says stands at the top of a run’s page, and the steps it is about are marked in the charts."],
    also: ["learning", "overfitting", "spike"],
  },
};
