/** What the model says of the next token, and how that is scored. Pure. @import { Toy } from "../figures.js" */
import { number, percent } from "../../../format.js";

/** @param {number[]} scores @param {number} [temperature] @returns {number[]} probabilities */
export function softmax(scores, temperature = 1) {
  const highest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp((score - highest) / temperature));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

const WORDS = ["mat", "sofa", "roof", "moon"];
const OTHERS = [1.5, 0.5, -1];

/** Each word's query and key: what it looks for and what it offers, in two dimensions of being a person and being a thing. */
const SENTENCE = /** @type {[string, [number, number], [number, number]][]} */ ([
  ["Mia", [0, 0.5], [2.4, 0]],
  ["lost", [1.5, 1.5], [0.2, 0.2]],
  ["her", [1.8, 0], [1, 0]],
  ["red", [0, 1], [0, 1]],
  ["kite", [0.3, 1.2], [0, 2.2]],
  ["so", [0.5, 0.5], [0, 0]],
  ["she", [2, 0], [1.2, 0]],
  ["cried", [1.6, 0.8], [0.3, 0.2]],
]);

/** @param {number} place in the sentence @returns {number[]} what it takes from each place up to itself; they add up to 1 */
export function attentionOf(place) {
  const [, query] = SENTENCE[place];
  return softmax(SENTENCE.slice(0, place + 1).map(([, , key]) => (query[0] * key[0] + query[1] * key[1]) / Math.SQRT2));
}

/** @type {Record<string, Toy>} */
export const GUESSES = {
  softmax: {
    title: "The cat sat on the …",
    controls: [{ id: "score", label: "Score of “mat”, which comes", min: -4, max: 8, step: 0.1, value: 1 }],
    view: ({ score }) => {
      const shares = softmax([score, ...OTHERS]);
      const loss = -Math.log(shares[0]);
      return {
        kind: "bars",
        max: 1,
        bars: WORDS.map((label, i) => ({ label, value: shares[i], text: percent(100 * shares[i]), tone: i === 0 ? "train" : "faint" })),
        says: `“mat” has a probability of ${number(shares[0])}. The loss is −ln ${number(shares[0])} = ${loss.toFixed(2)} nats, a perplexity of ${Math.exp(loss).toFixed(1)}.`,
      };
    },
  },
  temperature: {
    title: "The cat sat on the …",
    controls: [{ id: "temperature", label: "Temperature", min: 0.1, max: 3, step: 0.1, value: 1 }],
    view: ({ temperature }) => {
      const shares = softmax([2.5, ...OTHERS], temperature);
      return {
        kind: "bars",
        max: 1,
        bars: WORDS.map((label, i) => ({ label, value: shares[i], text: percent(100 * shares[i]), tone: i === 0 ? "train" : "faint" })),
        says: `Of 100 times it would write “mat” about ${Math.round(100 * shares[0])} times, and “moon” about ${Math.round(100 * shares[3])}.`,
      };
    },
  },
  attention: {
    title: "Where a word looks",
    controls: [{ id: "place", label: "Word", options: SENTENCE.map(([word]) => word), value: 6 }],
    view: ({ place }) => {
      const shares = attentionOf(place);
      const most = shares.indexOf(Math.max(...shares));
      return {
        kind: "bars",
        max: 1,
        bars: SENTENCE.map(([label], i) => ({
          label,
          value: shares[i] ?? 0,
          text: i > place ? "comes later" : percent(100 * shares[i]),
          tone: i === most ? "train" : "faint",
        })),
        says: `“${SENTENCE[place][0]}” takes most from “${SENTENCE[most][0]}”: ${percent(100 * shares[most])}. What comes later cannot be seen.`,
      };
    },
  },
  bits: {
    title: "One loss, two tokenizers",
    controls: [
      { id: "loss", label: "Loss in nats per token", min: 0.1, max: 8, step: 0.1, value: 3 },
      { id: "bytes", label: "Bytes per token", min: 1, max: 6, step: 0.1, value: 4 },
    ],
    view: ({ loss, bytes }) => {
      const bits = loss / Math.LN2;
      return {
        kind: "facts",
        facts: [
          ["Perplexity", number(Math.exp(loss))],
          ["Bits per token", bits.toFixed(2)],
          ["Bits per byte", (bits / bytes).toFixed(2)],
        ],
        says: `At ${number(bytes)} bytes per token this model needs ${(bits / bytes).toFixed(2)} bits for each byte of text; plain text has 8.`,
      };
    },
  },
};
