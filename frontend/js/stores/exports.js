/**
 * What can be exported of a run, and what became of it elsewhere, in words. Pure.
 *
 * @import { Checkpoint, Export } from "../types.js"
 */
import * as format from "../format.js";

/** @typedef {Export["format"]} Format */
/** @typedef {Export["number_format"]} NumberFormat */

/** @type {Record<Format, { title: string, help: string, numbers: [NumberFormat, string][] }>} */
export const FORMATS = {
  gguf: {
    title: "GGUF",
    help: "One file for llama.cpp, Ollama and LM Studio, with a Modelfile.",
    numbers: [
      ["q8_0", "8 bits (Q8_0)"],
      ["q4_k_m", "4 bits (Q4_K_M)"],
      ["fp16", "16 bits (F16)"],
    ],
  },
  safetensors: {
    title: "Safetensors",
    help: "A folder for transformers, vLLM and most programs that train.",
    numbers: [
      ["kept", "as the base has it"],
      ["fp32", "32 bits (fp32)"],
      ["bf16", "16 bits (bf16)"],
      ["fp16", "16 bits (fp16)"],
    ],
  },
  adapter: {
    title: "Adapter",
    help: "What LoRA trained, without its base: small, opened by peft beside the base.",
    numbers: [["kept", "as trained"]],
  },
};

/**
 * @param {Checkpoint[]} checkpoints
 * @returns {{ checkpoint: string | null, title: string }[]} what there is to export, the finished model first
 */
export function sourcesOf(checkpoints) {
  const models = checkpoints.filter(({ model }) => model !== null).sort((a, b) => b.step - a.step);
  const final = models.filter(({ kind }) => kind === "final").map(() => ({ checkpoint: null, title: "Finished model" }));
  const others = models.filter(({ kind }) => kind !== "final");
  return [
    ...final,
    ...others.map(({ name, step, kind }) => ({
      checkpoint: name,
      title: `Checkpoint of step ${format.count(step)}${kind === "best" ? ", the best" : ""}`,
    })),
  ];
}

/** @param {Export} one @returns {string} what it is */
export function titleOf({ format: kind, number_format: numbers, checkpoint }) {
  const known = FORMATS[kind];
  const precise = known.numbers.length > 1 ? `, ${known.numbers.find(([name]) => name === numbers)?.[1] ?? numbers}` : "";
  return `${known.title}${precise} · ${checkpoint ?? "finished model"}`;
}

/**
 * @param {Export} one that is done
 * @returns {{ tone: "good" | "error" | "warning", title: string, text: string, problems: string[] } | null}
 */
export function verdictOf({ proof }) {
  if (!proof) return null;
  const { passed, problems = [], kl, limit, same_choice: same } = proof;
  if (passed === null || passed === undefined) return { tone: "warning", title: "Not checked.", text: "", problems };
  const figures =
    kl == null || limit == null || same == null
      ? ""
      : `Opened by ${proof.engine}. Over ${format.count(proof.tokens ?? 0)} tokens of ${proof.texts}, what comes next differs by` +
        ` ${distance(kl)} (KL divergence), where rounding can make ${distance(limit)}. The likeliest token is the same at` +
        ` ${same === 1 ? "all" : `${(same * 100).toFixed(1)}% of`} places.`;
  if (passed) return { tone: "good", title: "It answers as your model does.", text: figures, problems };
  return { tone: "error", title: "It does not answer as your model does.", text: figures, problems };
}

/** @param {number} nats */
function distance(nats) {
  const size = Math.abs(nats);
  const digits = size < 1e-9 ? "0" : size < 1e-3 ? nats.toExponential(1).replace("e-", " × 10⁻") : nats.toPrecision(2);
  return `${digits.replace(/⁻(\d+)/, (_, power) => `⁻${[...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`)} nats per token`;
}
