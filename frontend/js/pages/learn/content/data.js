/** Data, models and what is kept of them. @import { Page } from "../content.js" */
import { formula, frac, n, o, row, sup, v, words } from "../math.js";

/** @type {Record<string, Page>} */
export const DATA = {
  run: {
    about:
      "A run is one training from its settings to the model that comes out. It has a folder of its own with everything it told on its way, event by event, so that its curves are there also years later.",
    analogy: "A page of a lab notebook: what you set up, what you saw, what came of it.",
    opens: "log",
    also: ["update", "checkpoint", "seed"],
  },
  model: {
    about:
      "A model is a design and its weights, the numbers that training changes. You can begin with random weights, which takes much text, or with those of a model that already knows a language, which takes little.",
    analogy: "Teaching someone to cook your recipes: easier if they can already hold a knife.",
    opens: "playground",
    lesson: "base_and_tuned",
    also: ["lora", "checkpoint", "memory"],
  },
  dataset: {
    about:
      "A dataset is the text that the model learns from, as examples: lines, documents, prompts with answers, or chats. What is not in it, and what it already knew, it cannot say.",
    analogy: "A cookbook: nobody learns to bake bread from one that has only soups.",
    opens: "tokens",
    lesson: "more_data",
    also: ["too_little_data", "duplicates", "mixture"],
  },
  masking: {
    about:
      "Of prompts and chats only the answers are learned: the rest is read but its loss does not count. So the model learns to answer and not to ask.",
    analogy: "In a play you learn your own lines, and the others’ only as cues.",
    formula: {
      math: formula(v("L"), o("="), frac(row(o("∑"), sub("m"), sub("L")), row(o("∑"), sub("m")))),
      words: "The mean of the losses of those tokens whose mask m is 1; those with 0 do not count.",
    },
    opens: "tokens",
    also: ["unlearned_rows", "tokens", "dataset"],
  },
  mixture: {
    about:
      "A mixture learns from several datasets at once, each with its share of all tokens. A share of ordinary text beside the new keeps the model from forgetting what it could.",
    analogy: "A training plan: mostly running, and a fifth of stretching so that nothing else rusts.",
    opens: "settings",
    also: ["dataset", "epoch", "validation"],
  },
  packing: {
    about:
      "Examples have different lengths, and side by side the short ones would be filled up with padding that is computed for nothing. Packing lays them end to end instead, each still seeing only itself.",
    analogy: "Moving house: you fill the boxes instead of giving each cup a box of its own.",
    formula: {
      math: formula(words("wasted"), o("="), n(1), o("−"), frac(words("tokens"), row(words("rows"), o("×"), words("longest")))),
      words: "Without packing the wasted share is 1 minus the tokens divided by the rows times the longest row.",
    },
    figure: "packing",
    opens: "chart:tokens_per_s",
    also: ["tokens", "throughput", "batch"],
  },
  lora: {
    about:
      "LoRA leaves the model’s weights as they are and learns two thin matrices beside each, whose product is added. That is often under one percent of the weights, so memory and file are small.",
    analogy: "Notes on tracing paper over a printed map: the map stays, and you can take the paper off again.",
    formula: {
      math: formula(sup(v("W"), o("′")), o("="), v("W"), o("+"), frac(v("α"), v("r")), v("B"), v("A")),
      words: "The layer’s matrix W plus the product of B and A, times alpha divided by the rank r. B and A have r columns and r rows.",
    },
    figure: "lora",
    opens: "settings",
    also: ["quantization", "memory", "model"],
  },
  quantization: {
    about:
      "With 4-bit weights (QLoRA) the model’s own weights, which LoRA does not change, are held in 4 bits each instead of 32. They take an eighth of the memory, and are unpacked bit by bit while computing, which takes time.",
    analogy: "A photo saved as a small JPEG: you see what is on it, and it fits into the mail.",
    figure: "memory",
    opens: "settings",
    also: ["lora", "memory", "mixed_precision"],
  },
  checkpoint: {
    about:
      "A checkpoint is the whole training written to disk: the weights, the optimizer’s memory, the place in the data. From it a run goes on as if nothing had happened, and you can try the model as it was then.",
    analogy: "A bookmark with a note of everything you were thinking when you put it in.",
    opens: "checkpoints",
    also: ["fork", "early_stopping", "interrupted"],
  },
  fork: {
    about:
      "A fork is a new run that begins like another one, or at one of its checkpoints, with something changed. Both stand side by side, so you see what the change did.",
    analogy: "Going back to the crossing and taking the other road, with the first one still on the map.",
    opens: "checkpoints",
    also: ["checkpoint", "coach", "seed"],
  },
};

/** A letter with the index i. @param {string} letter */
function sub(letter) {
  return `<msub><mi>${letter}</mi><mi>i</mi></msub>`;
}
