/** Batches: how they are cut, added up and how far they agree. Pure. @import { Toy } from "../figures.js" */
import { count, number, percent } from "../../../format.js";

/** Numbers between 0 and 1 that look random and are the same for the same seed (Tommy Ettinger's mulberry32). @param {number} seed */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {() => number} random @returns {number} from a normal distribution (Box and Muller) */
const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** The trace of one example's covariance by the squared length of the true gradient, (1, 0). */
const NOISE_SCALE = 16;
const BATCHES = 60;

/** @param {number} size @param {number} seed @returns {[number, number][]} the gradient of each of 60 batches */
export function batchGradients(size, seed) {
  const random = randomOf(seed);
  const spread = Math.sqrt(NOISE_SCALE / 2 / size);
  return Array.from({ length: BATCHES }, () => [1 + spread * normal(random), spread * normal(random)]);
}

const EXAMPLES = Array.from({ length: 16 }, ((random) => () => Math.round(100 * (0.4 + 0.5 * normal(random))) / 100)(randomOf(5)));

/** @param {number[]} values */
const mean = (values) => values.reduce((a, b) => a + b) / values.length;

/** @param {number} parts of 16 examples @returns {number[]} the mean of each part */
export function partMeans(parts) {
  const size = EXAMPLES.length / parts;
  return Array.from({ length: parts }, (_, i) => mean(EXAMPLES.slice(i * size, (i + 1) * size)));
}

const TEXT = "the little mouse and the little moose met in the middle of the meadow";

/**
 * Byte-pair encoding in small: join the two neighbours that stand together most often, again and again.
 *
 * @param {string} text
 * @param {number} merges
 * @returns {string[]} tokens
 */
export function merged(text, merges) {
  let tokens = [...text];
  for (let i = 0; i < merges; i++) {
    const counts = new Map();
    for (let k = 1; k < tokens.length; k++) {
      if (tokens[k].startsWith(" ")) continue; // a token does not reach over a blank
      const pair = tokens[k - 1] + "\0" + tokens[k];
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    const [best, times] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 1]);
    if (times < 2) break;
    const [left, right] = best.split("\0");
    /** @type {string[]} */
    const joined = [];
    for (let k = 0; k < tokens.length; k++) {
      if (tokens[k] === left && tokens[k + 1] === right) joined.push(left + tokens[++k]);
      else joined.push(tokens[k]);
    }
    tokens = joined;
  }
  return tokens;
}

const ROWS = [12, 31, 8, 22, 17, 40, 9, 14];

/** @type {Record<string, Toy>} */
export const NOISE = {
  noise: {
    title: "Sixty batches, each an opinion on where to go",
    controls: [
      { id: "power", label: "Batch size", min: 0, max: 8, step: 1, value: 2, format: (power) => count(2 ** power) },
      { id: "seed", label: "Seed", min: 1, max: 9, step: 1, value: 1 },
    ],
    view: ({ power, seed }) => {
      const size = 2 ** power;
      const gradients = batchGradients(size, seed);
      const wrong = gradients.filter(([x]) => x < 0).length;
      return {
        kind: "plot",
        x: [-6, 8],
        y: [-5, 5],
        axes: ["towards less loss", "beside the way"],
        lines: [
          { points: gradients, tone: "train", mark: "dots", name: "a batch" },
          { points: [[0, 0], [1, 0]], tone: "validation", mark: "arrow", name: "the true gradient" },
        ],
        says: `With ${count(size)} ${size === 1 ? "example" : "examples"} each, ${count(wrong)} of 60 batches point the wrong way. The noise scale here is ${NOISE_SCALE} examples.`,
      };
    },
  },
  accumulation: {
    title: "Sixteen examples, read in parts",
    controls: [{ id: "power", label: "Gradient accumulation", min: 0, max: 4, step: 1, value: 2, format: (power) => `${2 ** power} parts` }],
    view: ({ power }) => {
      const parts = 2 ** power;
      const means = partMeans(parts);
      return {
        kind: "bars",
        max: 1.2,
        bars: [
          ...means.map((value, i) => ({ label: parts === 1 ? "all 16" : `part ${i + 1}`, value: Math.abs(value), text: value.toFixed(3), tone: /** @type {const} */ ("faint") })),
          { label: "the update", value: mean(means), text: mean(means).toFixed(3), tone: "train" },
        ],
        says: `${parts} ${parts === 1 ? "batch" : "batches"} of ${16 / parts}: the mean gradient is ${mean(means).toFixed(3)}, however the sixteen are cut.`,
      };
    },
  },
  updates: {
    title: "How many updates a run makes",
    controls: [
      { id: "examples", label: "Examples", min: 100, max: 5000, step: 100, value: 2700 },
      { id: "batch", label: "Batch size", min: 1, max: 32, step: 1, value: 4 },
      { id: "accumulation", label: "Gradient accumulation", min: 1, max: 16, step: 1, value: 4 },
      { id: "epochs", label: "Epochs", min: 1, max: 20, step: 1, value: 3 },
    ],
    view: ({ examples, batch, accumulation, epochs }) => {
      const perEpoch = Math.ceil(examples / (batch * accumulation));
      return {
        kind: "facts",
        facts: [
          ["Examples per update", count(batch * accumulation)],
          ["Updates per epoch", count(perEpoch)],
          ["Updates in all", count(perEpoch * epochs)],
        ],
        says: `${count(examples)} examples, ${count(batch * accumulation)} at each update, ${count(epochs)} times over: ${count(perEpoch * epochs)} updates.`,
      };
    },
  },
  tokens: {
    title: "Joining what stands together most often",
    controls: [{ id: "merges", label: "Pieces joined", min: 0, max: 30, step: 1, value: 6 }],
    view: ({ merges }) => {
      const tokens = merged(TEXT, merges);
      const kinds = new Set(tokens).size;
      return {
        kind: "chips",
        chips: tokens.map((text, i) => ({ text, tone: i % 2 ? "validation" : "train" })),
        says: `${TEXT.length} characters are ${tokens.length} tokens, of ${kinds} different ones.`,
      };
    },
  },
  packing: {
    title: "Eight examples in one pass",
    controls: [{ id: "longest", label: "Tokens of the longest example", min: 40, max: 200, step: 5, value: 80 }],
    view: ({ longest }) => {
      const rows = ROWS.map((length) => (length === 40 ? longest : length));
      const used = rows.reduce((a, b) => a + b);
      const padded = rows.length * longest;
      return {
        kind: "bars",
        max: padded,
        bars: [
          { label: "side by side, filled up", value: padded, text: count(padded), tone: "validation" },
          { label: "packed, end to end", value: used, text: count(used), tone: "train" },
        ],
        says: `Filled up, ${percent(100 * (1 - used / padded))} of the work is for padding; packed, it takes ${number(padded / used)} times less.`,
      };
    },
  },
};
