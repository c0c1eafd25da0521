/** When something is wrong: what to try, in this machine's numbers. @import { Page } from "../content.js" */
import { bytes, count } from "../../../format.js";

/** @type {Record<string, Page>} */
export const HELP = {
  out_of_memory: {
    about:
      "The weights and the batch did not fit into the device’s memory together. By default a run then tries the same update again in smaller parts, which learns the same; if it still does not fit, it ends.",
    see: ["The run’s messages say so, and its page shows how many examples an update has now.", "Before the start the preflight says whether it fits."],
    remedies: [
      (machine) => `This machine has ${bytes(machine.memory_bytes)}, of which ${bytes(machine.memory_available_bytes)} are free now. Close what you do not need.`,
      "Halve Batch size and double Gradient accumulation: the result stays the same.",
      "Lower Max length, if your examples allow it: memory grows with it.",
      "Switch on Gradient checkpointing: less memory, about a third slower.",
      "Use LoRA, or 4-bit base with it, or a smaller model.",
    ],
    figure: "memory",
    opens: "chart:memory",
    also: ["memory", "gradient_accumulation", "lora"],
  },
  too_slow: {
    about: "Tokens per second tell how fast it is, and where the time went tells why. First look whether it is the computing that takes long, or the waiting.",
    see: ["The Speed chart, and CPU or GPU in use below it."],
    remedies: [
      (machine) =>
        machine.devices.some(({ id }) => id.startsWith("cuda"))
          ? "This machine has a GPU: check that the run’s page names it and not the CPU."
          : `This machine has no GPU that can be used; its ${count(machine.cpu_count)} cores do all. A model like tiny suits it.`,
      "Set Precision to auto: 16 bits where the device does them well.",
      "Lower Max length if your examples are short, and leave Pack short examples on.",
      "Evaluate and save more rarely.",
      "A smaller model, or LoRA, if the task allows it.",
    ],
    opens: "chart:tokens_per_s",
    also: ["throughput", "time_spent", "mixed_precision"],
  },
  not_improving: {
    about: "Validation loss does not go down any more, or never did. Which it is decides what helps.",
    see: ["Training loss falls, validation does not: it learns by heart.", "Neither falls: the steps are too small, or there is nothing to learn."],
    remedies: [
      "Make the learning rate three times larger and look at the first hundred steps.",
      "Look at the data as the model sees it: a wrong column or mask shows at once.",
      "A thousand examples are the least for a result worth having; variety counts more than number.",
      "Start from a trained model instead of from nothing.",
    ],
    figure: "descent",
    opens: "chart:loss",
    also: ["flat", "overfitting", "too_little_data"],
  },
  tips: {
    about: "What saves most time is to begin small and to look early. These are the habits of people who train models every day.",
    remedies: [
      "Run twenty steps first, and read the rows as the model sees them.",
      "Start from a trained model where you can.",
      "Watch validation loss, not training loss.",
      "Change one thing at a time, and compare the two runs.",
      "If two settings differ by less than two seeds of the same setting, they do not differ.",
      "Test on text of the kind that the model will meet.",
      "Read the samples: numbers do not show that it speaks in circles.",
    ],
    opens: "samples",
    also: ["validation", "dataset", "seed"],
  },
};
