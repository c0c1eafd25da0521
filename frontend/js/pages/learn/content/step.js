/** One step of training, from the text to the changed weights. @import { Page } from "../content.js" */
import { formula, frac, n, o, root, row, sub, sum, sup, v, words } from "../math.js";

/** @type {Record<string, Page>} */
export const STEP = {
  tokens: {
    about:
      "A model does not read letters but tokens: pieces of text, from a single character to a whole word, each with a number. Which pieces there are was decided once, by joining again and again the two neighbours that stand together most often.",
    analogy: "Like building with bricks of many sizes: common words have a brick of their own, rare ones are put together from small ones.",
    figure: "tokens",
    opens: "tokens",
    also: ["packing", "bits_per_byte", "masking"],
  },
  forward_pass: {
    about:
      "The model reads the tokens so far and gives every token of its vocabulary a score for coming next; softmax turns the scores into probabilities. In training it does so for all places of a text at once, and at each place only what stands before counts.",
    analogy: "You cover a book page with a card, slide the card on word by word, and before each word you say how much you would bet on what comes.",
    formula: {
      math: formula(sub(v("p"), v("i")), o("="), frac(sup(v("e"), sub(v("z"), v("i"))), row(sum(v("j"), v("V")), sup(v("e"), sub(v("z"), v("j")))))),
      words: "The probability of a token is e to the power of its score, divided by the same of all tokens added up.",
    },
    figure: "softmax",
    opens: "microscope",
    also: ["loss", "attention", "backward_pass"],
  },
  attention: {
    about:
      "At each place the model looks back at the tokens before it and takes something from each: much from those that matter for the next word, little from the others. Each layer has several heads, and each head looks for something of its own.",
    analogy: "When you read “she”, your eyes jump back to the name. A head that has learned this looks at the name, too.",
    formula: {
      math: formula(sub(v("a"), row(v("i"), v("j"))), o("="), words("softmax"), o("("), frac(row(sub(v("q"), v("i")), o("·"), sub(v("k"), v("j"))), root(v("d"))), o(")")),
      words: "How much place i takes from place j: the softmax, over all earlier places, of how well i’s query fits j’s key, divided by the square root of their length d.",
    },
    figure: "attention",
    opens: "microscope",
    also: ["forward_pass", "tokens"],
  },
  loss: {
    about:
      "The loss says how surprised the model was by the token that really came: 0 if it was certain of it, and more the less likely it thought it. What the charts show is the mean over many tokens, in nats; lower is better.",
    analogy: "A forecaster who said “90% sun” loses little when the sun shines and a lot when it rains.",
    formula: {
      math: formula(v("L"), o("="), o("−"), words("ln"), o("⁡"), sub(v("p"), words("target"))),
      words: "The loss of one token is minus the natural logarithm of the probability that the model gave to it. A guess among 1,024 tokens at random has a loss of 6.93.",
    },
    figure: "softmax",
    opens: "chart:loss",
    also: ["perplexity", "validation", "bits_per_byte"],
  },
  backward_pass: {
    about:
      "Going backward from the loss, the model works out for each of its weights how the loss would change if that weight grew a little. These slopes together are the gradient, and it points uphill: the weights then move the other way.",
    analogy: "A soup is too salty. You go back through what you did and ask of every ingredient: had there been a bit more of you, would it be better or worse?",
    formula: {
      math: formula(frac(row(o("∂"), v("L")), row(o("∂"), v("w"))), o("="), frac(row(o("∂"), v("L")), row(o("∂"), v("y"))), o("·"), frac(row(o("∂"), v("y")), row(o("∂"), v("w")))),
      words: "The chain rule: how the loss depends on a weight is how the loss depends on the layer’s output, times how that output depends on the weight.",
    },
    figure: "slope",
    opens: "microscope",
    also: ["optimizer", "gradient_norm", "gradient_clipping"],
  },
  gradient_norm: {
    about:
      "The gradient norm is the length of the gradient: how strongly one update pulls on all weights together, before it is clipped. Most runs begin high and settle; a single spike is harmless, while a steady climb warns of trouble.",
    analogy: "The needle that shows how hard the wind pulls at a kite: gusts are normal, a wind that grows and grows is not.",
    formula: {
      math: formula(o("‖"), v("g"), o("‖"), o("="), root(sum(v("i"), v("N")).concat(sup(sub(v("g"), v("i")), n(2))))),
      words: "The square root of the sum of the squares of all N weights’ gradients.",
    },
    figure: "clip",
    opens: "chart:grad_norm",
    also: ["gradient_clipping", "vanishing_gradient", "update_ratio"],
  },
  gradient_clipping: {
    about:
      "If the gradient is longer than the limit, all of it is scaled down to that length: its direction stays. So one odd batch cannot throw the model off its way.",
    analogy: "A speed limiter in a car: the steering wheel is yours, but you cannot go faster than it allows.",
    formula: {
      math: formula(v("g"), o("←"), v("g"), o("·"), words("min"), o("("), n(1), o(","), frac(v("c"), row(o("‖"), v("g"), o("‖"))), o(")")),
      words: "The gradient is multiplied by the limit c divided by its norm, and never by more than 1.",
    },
    figure: "clip",
    opens: "chart:grad_norm",
    also: ["gradient_norm", "clipping", "learning_rate_high"],
  },
  optimizer: {
    about:
      "The optimizer turns gradients into changes of the weights. AdamW, the usual one, goes by a running mean of each weight’s gradient and divides it by how large that weight’s gradients usually are, so that every weight moves at a like pace.",
    analogy: "A ball in a valley keeps some of its momentum: bumps average out, and it does not bounce from wall to wall.",
    formula: {
      math: formula(v("w"), o("←"), v("w"), o("−"), v("η"), o("·"), frac(v("m"), row(root(v("s")), o("+"), v("ε")))),
      words: "A weight changes by the learning rate η times the running mean m of its gradient, divided by the root of the running mean s of the gradient’s square.",
    },
    figure: "optimizer",
    opens: "microscope",
    also: ["learning_rate", "weight_decay", "update"],
  },
  update: {
    about:
      "One step is one update of the weights: read a few batches, add up their gradients, clip, change all weights once. Everything a chart shows is counted in these steps.",
    analogy: "A row of a knitted scarf: many stitches go into it, and then the whole scarf is one row longer.",
    formula: {
      math: formula(words("updates"), o("="), words("epochs"), o("×"), frac(words("examples"), row(words("batch size"), o("×"), words("accumulation")))),
      words: "The number of updates is the epochs times the examples, divided by the examples of one update, each epoch rounded up.",
    },
    figure: "updates",
    opens: "chart:loss",
    also: ["batch", "epoch", "gradient_accumulation"],
  },
  update_ratio: {
    about:
      "The update ratio is how large a change was beside the weights that it changed: 0.001 means that a part of the model moved by a thousandth of its size. A part far above the others is torn about, and one near zero learns nothing.",
    analogy: "Turning a heavy ship: a degree at a time gets it round, ninety at once breaks something, and none at all means the rudder is stuck.",
    formula: {
      math: formula(v("r"), o("="), frac(row(o("‖"), v("Δ"), v("w"), o("‖")), row(o("‖"), v("w"), o("‖")))),
      words: "The length of the change divided by the length of the weights, for each part of the model.",
    },
    figure: "ratio",
    opens: "microscope",
    also: ["learning_rate", "gradient_norm", "vanishing_gradient"],
  },
};
