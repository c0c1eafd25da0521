/** Numbers and how much room they take. Pure. @import { Toy } from "../figures.js" */
import { bytes, count, number, percent, short } from "../../../format.js";

/** The nearest number with so many binary digits, ties to even. @param {number} value @param {number} digits @param {number} lowest exponent */
function rounded(value, digits, lowest) {
  if (value === 0 || !Number.isFinite(value)) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), lowest);
  const unit = 2 ** (exponent - digits + 1);
  const units = value / unit;
  const down = Math.floor(units);
  const rest = units - down;
  const even = down % 2 === 0 ? down : down + 1;
  return (rest === 0.5 ? even : Math.round(units)) * unit;
}

/** IEEE 754's half precision. @param {number} value */
export function toFp16(value) {
  const result = rounded(value, 11, -14);
  return Math.abs(result) > 65504 ? Math.sign(result) * Infinity : result;
}

/** The upper half of a 32-bit number. @param {number} value */
export const toBf16 = (value) => rounded(Math.fround(value), 8, -126);

/** @param {number} value */
const shown = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(9))) : "infinite");

const METHODS = ["full", "lora", "4-bit lora"];
/** Bytes of each weight, and the share of weights that is trained: 4 for its gradient, 8 for AdamW's means and 4 for itself. */
const PER_WEIGHT = [{ held: 4, trained: 1 }, { held: 4, trained: 0.01 }, { held: 0.5, trained: 0.01 }];

/** @param {number} weights @param {number} method */
export function memoryParts(weights, method) {
  const { held, trained } = PER_WEIGHT[method];
  const added = method === 0 ? 0 : trained * weights;
  return { weights: held * weights + 4 * added, gradients: 4 * trained * weights, optimizer: 8 * trained * weights };
}

/** @type {Record<string, Toy>} */
export const SIZES = {
  precision: {
    title: "One number in three formats",
    controls: [{ id: "power", label: "3.14159265 times ten to the power of", min: -9, max: 6, step: 1, value: 0 }],
    view: ({ power }) => {
      const value = Number(`${Math.PI}e${power}`);
      const half = toFp16(value);
      const verdict = half === 0 ? "fp16 makes it zero: too small." : Number.isFinite(half) ? "All three can hold it." : "fp16 makes it infinite: too large.";
      return {
        kind: "facts",
        facts: [["fp32", shown(Math.fround(value))], ["bf16", shown(toBf16(value))], ["fp16", shown(half)]],
        says: `${verdict} bf16 is off by ${number((100 * Math.abs(toBf16(value) - value)) / value)}%.`,
      };
    },
  },
  lora: {
    title: "A matrix of 768 × 768",
    controls: [{ id: "rank", label: "Rank", min: 1, max: 128, step: 1, value: 16 }],
    view: ({ rank }) => {
      const full = 768 * 768;
      const added = 2 * 768 * rank;
      return {
        kind: "bars",
        max: full,
        bars: [
          { label: "full: all of it", value: full, text: count(full), tone: "validation" },
          { label: "LoRA: A and B", value: added, text: count(added), tone: "train" },
        ],
        says: `LoRA trains ${count(added)} numbers instead of ${count(full)}: ${percent((100 * added) / full)}.`,
      };
    },
  },
  memory: {
    title: "What the weights take in training",
    controls: [
      { id: "size", label: "Weights", min: 5.7, max: 10, step: 0.1, value: 8.1, format: (size) => short(10 ** size) },
      { id: "method", label: "Method", options: METHODS, value: 0 },
    ],
    view: ({ size, method }) => {
      const parts = memoryParts(10 ** size, method);
      const sum = parts.weights + parts.gradients + parts.optimizer;
      const bar = (/** @type {string} */ label, /** @type {number} */ value) => ({ label, value, text: bytes(value), tone: /** @type {const} */ ("train") });
      return {
        kind: "bars",
        max: 8 * 10 ** size,
        bars: [bar("weights", parts.weights), bar("gradients", parts.gradients), bar("AdamW's two means", parts.optimizer)],
        says: `${bytes(sum)} before the first example is read; the batch comes on top.`,
      };
    },
  },
};
