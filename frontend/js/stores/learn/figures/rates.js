/** The learning rate, its path, and what becomes of a gradient. Pure. @import { Toy } from "../figures.js" */
import { number, percent } from "../../../format.js";

/**
 * As worker/training/schedule.py has it; a test compares the two.
 *
 * @param {string} schedule
 * @param {number} step from 1
 * @param {number} total
 * @param {number} warmupRatio
 * @param {{ lowest?: number, cycles?: number, decay?: number }} [more]
 * @returns {number} share of the full learning rate
 */
export function rateShare(schedule, step, total, warmupRatio, { lowest = 0, cycles = 1, decay = 0 } = {}) {
  const warmup = Math.max(1, Math.round(warmupRatio * total));
  if (step <= warmup) return step / warmup;
  let progress = (step - warmup) / (total - warmup + 1);
  if (schedule === "warmup_stable_decay") {
    const falling = Math.min(Math.max(1, Math.round(decay * total)), total - warmup + 1);
    progress = Math.max(0, 1 - (total + 1 - step) / falling);
  } else if (schedule === "cosine_with_restarts") {
    progress = (progress * cycles) % 1;
  }
  if (schedule === "constant") return 1;
  const fall = schedule.startsWith("cosine") ? (1 + Math.cos(Math.PI * progress)) / 2 : 1 - progress;
  return lowest + (1 - lowest) * fall;
}

/** Gradient descent on w². @param {number} rate @param {number} steps @returns {number[]} w after each step, from w = 2 */
export function descend(rate, steps) {
  const path = [2];
  for (let i = 0; i < steps; i++) path.push(path[i] - rate * 2 * path[i]);
  return path;
}

/** @param {[number, number]} gradient @param {number} limit @returns {[number, number]} no longer than the limit */
export function clipped([x, y], limit) {
  const factor = Math.min(1, limit / (Math.hypot(x, y) || 1));
  return [x * factor, y * factor];
}

const DESCENT_STEPS = 12;
const SCHEDULES = ["linear", "cosine", "cosine_with_restarts", "warmup_stable_decay", "constant"];
const STEPS = 200;
const START = /** @type {[number, number]} */ ([-4, 1.5]);

/** @param {number} from @param {number} to @param {(x: number) => number} f @returns {[number, number][]} */
export function curve(from, to, f) {
  return Array.from({ length: 81 }, (_, i) => {
    const x = from + ((to - from) * i) / 80;
    return [x, f(x)];
  });
}

/** @param {number} rate */
function verdictOf(rate) {
  if (rate >= 1) return "It jumps over the valley and lands higher each time: too high.";
  if (rate > 0.85) return "It jumps from wall to wall and gets down only slowly: too high.";
  if (rate < 0.05) return "It creeps, and is not down yet: too low.";
  return "It reaches the bottom.";
}

/** Downhill in a bowl that is `stretch` times steeper along y: plain steps, and AdamW's. @param {number} stretch @param {number} steps */
export function race(stretch, steps) {
  /** @type {[number, number][]} */
  const plain = [START];
  /** @type {[number, number][]} */
  const adam = [START];
  const rate = 1.8 / Math.max(stretch, 1.8);
  const mean = [0, 0];
  const square = [0, 0];
  const slope = (/** @type {[number, number]} */ [x, y]) => [x, stretch * y];
  for (let i = 1; i <= steps; i++) {
    const [gx, gy] = slope(plain[i - 1]);
    plain.push([plain[i - 1][0] - rate * gx, plain[i - 1][1] - rate * gy]);
    const gradient = slope(adam[i - 1]);
    const moved = adam[i - 1].map((w, k) => {
      mean[k] = 0.9 * mean[k] + 0.1 * gradient[k];
      square[k] = 0.95 * square[k] + 0.05 * gradient[k] ** 2;
      return w - (0.15 * (mean[k] / (1 - 0.9 ** i))) / (Math.sqrt(square[k] / (1 - 0.95 ** i)) + 1e-8);
    });
    adam.push(/** @type {[number, number]} */ (moved));
  }
  return { plain, adam };
}

/** @type {Record<string, Toy>} */
export const RATES = {
  descent: {
    title: "Twelve steps down a valley",
    controls: [{ id: "rate", label: "Learning rate", min: 0.01, max: 1.1, step: 0.01, value: 0.1 }],
    view: ({ rate }) => {
      const path = descend(rate, DESCENT_STEPS);
      const last = path[DESCENT_STEPS];
      return {
        kind: "plot",
        x: [-2.6, 2.6],
        y: [0, 6.8],
        axes: ["weight", "loss"],
        lines: [
          { points: curve(-2.6, 2.6, (w) => w * w), tone: "faint" },
          { points: path.map((w) => [w, w * w]), tone: "train", mark: "steps", name: "the steps" },
        ],
        says: `The loss went from 4 to ${number(last * last)}. ${verdictOf(rate)}`,
      };
    },
  },
  schedule: {
    title: "The learning rate over 200 steps",
    controls: [
      { id: "schedule", label: "Schedule", options: SCHEDULES, value: 0 },
      { id: "warmup", label: "Warmup ratio", min: 0, max: 0.5, step: 0.01, value: 0.1, format: (value) => percent(100 * value) },
      { id: "lowest", label: "Lowest rate", min: 0, max: 1, step: 0.05, value: 0, format: (value) => percent(100 * value) },
    ],
    view: ({ schedule, warmup, lowest }) => {
      const name = SCHEDULES[schedule];
      const share = (/** @type {number} */ step) => rateShare(name, step, STEPS, warmup, { lowest, cycles: 2, decay: 0.2 });
      return {
        kind: "plot",
        x: [0, STEPS],
        y: [0, 1.05],
        axes: ["step", "share of the full rate"],
        lines: [{ points: Array.from({ length: STEPS }, (_, i) => [i + 1, share(i + 1)]), tone: "train", name: name }],
        says: `Step 1 uses ${percent(100 * share(1))} of the full rate, step 100 ${percent(100 * share(100))}, step 200 ${percent(100 * share(STEPS))}.`,
      };
    },
  },
  slope: {
    title: "The slope at one weight",
    controls: [{ id: "w", label: "Weight", min: -1, max: 4, step: 0.1, value: 0.5 }],
    view: ({ w }) => {
      const loss = (/** @type {number} */ at) => (2 * at - 3) ** 2 / 4;
      const slope = 2 * w - 3;
      const way = Math.abs(slope) < 0.05 ? "It is flat: this is the bottom." : `So the weight moves ${slope > 0 ? "down" : "up"}.`;
      return {
        kind: "plot",
        x: [-1, 4],
        y: [0, 6.5],
        axes: ["weight", "loss"],
        lines: [
          { points: curve(-1, 4, loss), tone: "faint" },
          { points: [[w - 0.7, loss(w) - 0.7 * slope], [w + 0.7, loss(w) + 0.7 * slope]], tone: "validation", name: "the slope" },
          { points: [[w, loss(w)]], tone: "train", mark: "dots", name: "the weight" },
        ],
        says: `A weight of ${number(w)} has a loss of ${number(loss(w))} and a slope of ${number(slope)}. ${way}`,
      };
    },
  },
  clip: {
    title: "A gradient and its limit",
    controls: [
      { id: "norm", label: "Gradient norm", min: 0.1, max: 5, step: 0.1, value: 3 },
      { id: "limit", label: "Limit", min: 0.1, max: 5, step: 0.1, value: 1 },
    ],
    view: ({ norm, limit }) => {
      const gradient = /** @type {[number, number]} */ ([0.8 * norm, 0.6 * norm]);
      const kept = clipped(gradient, limit);
      const circle = Array.from({ length: 61 }, (_, i) => /** @type {[number, number]} */ ([limit * Math.cos((i * Math.PI) / 120), limit * Math.sin((i * Math.PI) / 120)]));
      return {
        kind: "plot",
        x: [0, 5.2],
        y: [0, 3.2],
        axes: ["pull on one weight", "pull on another"],
        square: true,
        lines: [
          { points: circle, tone: "faint", name: "the limit" },
          { points: [[0, 0], gradient], tone: "validation", mark: "arrow", name: "gradient" },
          { points: [[0, 0], kept], tone: "train", mark: "arrow", name: "what is used" },
        ],
        says: norm > limit ? `It is scaled by ${number(limit / norm)} to a norm of ${number(limit)}; its direction stays.` : "It is below the limit, and used as it is.",
      };
    },
  },
  optimizer: {
    title: "Thirty steps down a long valley",
    controls: [{ id: "stretch", label: "How many times steeper across", min: 1, max: 100, step: 1, value: 60 }],
    view: ({ stretch }) => {
      const { plain, adam } = race(stretch, 30);
      const left = ([x, y] = [0, 0]) => number(Math.hypot(x, y));
      return {
        kind: "plot",
        x: [-4.5, 1.5],
        y: [-1.8, 1.8],
        axes: ["along the valley", "across"],
        lines: [
          { points: plain, tone: "validation", mark: "steps", name: "plain steps" },
          { points: adam, tone: "train", mark: "steps", name: "AdamW" },
        ],
        says: `After 30 steps plain gradient descent is ${left(plain[30])} from the lowest point, AdamW ${left(adam[30])}.`,
      };
    },
  },
  decay: {
    title: "A weight that no example asks for",
    controls: [
      { id: "decay", label: "Weight decay", min: 0, max: 1, step: 0.01, value: 0.1 },
      { id: "rate", label: "Learning rate", min: 0.001, max: 0.01, step: 0.001, value: 0.003 },
    ],
    view: ({ decay, rate }) => {
      const left = (/** @type {number} */ step) => (1 - rate * decay) ** step;
      return {
        kind: "plot",
        x: [0, 1000],
        y: [0, 1.05],
        axes: ["step", "what is left of it"],
        lines: [{ points: curve(0, 1000, left), tone: "train", name: "the weight" }],
        says: `After 1,000 updates ${percent(100 * left(1000))} of it is left.`,
      };
    },
  },
  ratio: {
    title: "The same learning rate, weights of different size",
    controls: [{ id: "rate", label: "Learning rate", min: 0.0001, max: 0.01, step: 0.0001, value: 0.003 }],
    view: ({ rate }) => {
      const parts = /** @type {[string, number][]} */ ([["fresh weights, about 0.02 each", 0.02], ["trained weights, about 0.1", 0.1], ["norms, about 1", 1]]);
      return {
        kind: "bars",
        max: 0.5,
        bars: parts.map(([label, size]) => ({ label, value: rate / size, text: number(rate / size), tone: "train" })),
        says: `AdamW's first update moves each weight by about ${number(rate)}: that is ${percent((100 * rate) / 0.02)} of a fresh weight, and ${number(100 * rate)}% of a norm's.`,
      };
    },
  },
};
