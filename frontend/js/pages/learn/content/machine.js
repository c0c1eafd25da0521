/** Speed and memory. @import { Page } from "../content.js" */
import { bytes, count } from "../../../format.js";
import { formula, frac, n, o, v, words } from "../math.js";

/** @type {Record<string, Page>} */
export const MACHINE = {
  mixed_precision: {
    about:
      "Most of the computing is done with numbers of 16 bits instead of 32, while the weights themselves keep 32. It is two to three times faster on most GPUs and takes less memory; bf16 keeps the range of numbers and loses digits, fp16 the other way round.",
    analogy: "You measure flour by the cup and saffron by the thread.",
    formula: {
      math: formula(words("bf16"), o(":"), n(8), words(" digits of 2,  fp16"), o(":"), n(11)),
      words: "bf16 keeps 8 binary digits (about 2 decimal ones), fp16 11 (about 3), fp32 24 (about 7). fp16 ends at 65,504.",
    },
    figure: "precision",
    opens: "settings",
    also: ["nonfinite", "memory", "throughput"],
  },
  memory: {
    about:
      "Training holds the weights, a gradient for each, and what the optimizer remembers of each; with AdamW that is 16 bytes for a weight. On top come the intermediate results of the batch, which grow with batch size and length.",
    analogy: "A workbench: the piece, the plan, the notes of the last days, and shavings that pile up with the size of the piece.",
    formula: {
      math: formula(v("M"), o("≈"), v("P"), o("×"), o("("), n(4), o("+"), n(4), o("+"), n(8), o(")"), o("+"), words("batch")),
      words: "The number of weights times 4 bytes for the weight, 4 for its gradient and 8 for AdamW’s two means, plus what the batch takes.",
    },
    figure: "memory",
    opens: "chart:memory",
    remedies: [
      (machine) => `This machine has ${bytes(machine.memory_bytes)} of memory, of which ${bytes(machine.memory_available_bytes)} are free now.`,
    ],
    also: ["out_of_memory", "gradient_checkpointing", "lora"],
  },
  gradient_checkpointing: {
    about:
      "The backward pass needs what the forward pass computed. With gradient checkpointing most of that is forgotten and computed a second time when needed: far less memory, about a third slower.",
    analogy: "You write down every tenth step of a sum and work out the ones in between again if somebody asks.",
    figure: "memory",
    opens: "settings",
    also: ["memory", "out_of_memory", "backward_pass"],
  },
  throughput: {
    about:
      "Throughput is how many tokens the model learns from in a second. It depends on the machine, the model’s size and how well the batches fill the device; it says nothing about how well it learns.",
    analogy: "Pages read per hour, not what you remember of them.",
    formula: {
      math: formula(words("tokens per second"), o("="), frac(words("tokens of the update"), words("its time"))),
      words: "The tokens of an update divided by the seconds it took.",
    },
    opens: "chart:tokens_per_s",
    remedies: [
      (machine) => `This machine has ${count(machine.cpu_count)} processor cores and ${machine.devices.some(({ id }) => id.startsWith("cuda")) ? "a GPU" : "no GPU"}.`,
    ],
    also: ["too_slow", "packing", "mixed_precision"],
  },
  time_spent: {
    about:
      "A run’s time goes into waiting for data, forward, backward, the optimizer, evaluation and saving; the shares add up to the whole. The largest one is where it pays to look.",
    analogy: "A diary of a day: if four hours were spent looking for things, a faster car does not help.",
    opens: "chart:step_ms",
    also: ["throughput", "slow_input", "too_slow"],
  },
  devices: {
    about:
      "The device is where the numbers are worked out: the processor, or a graphics card that does many sums at once. Several GPUs train one model together, each with batches of its own, and add up their gradients.",
    analogy: "One cook, or a kitchen with ten: quicker, as long as somebody brings the vegetables.",
    opens: "settings",
    remedies: [
      (machine) => `Here: ${machine.devices.map(({ id, name, memory_bytes }) => `${id} (${name}, ${bytes(memory_bytes)})`).join(", ")}.`,
    ],
    also: ["throughput", "idle_device", "memory"],
  },
};
