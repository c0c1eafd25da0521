/**
 * The lessons' texts: short sentences from a seeded grammar, so that a lesson needs no file. Each has something to learn
 * beyond spelling: what a shop sells, whose pronoun goes with a name, what weather comes with a wind. Pure.
 */
import { randomOf } from "./figures/noise.js";

const PEOPLE = [["Ada", "her"], ["Bo", "his"], ["Clara", "her"], ["Dev", "his"], ["Emma", "her"], ["Finn", "his"], ["Grace", "her"], ["Hugo", "his"]];
const DAYS = ["On Monday", "On Tuesday", "On Friday", "On Sunday", "Last week", "Today", "Early this morning"];
const SHOPS = [
  ["bakery", "two loaves of bread", "a box of rolls", "an apple cake"],
  ["market", "three ripe melons", "a bag of cherries", "some green beans"],
  ["bookshop", "an old atlas", "a book about birds", "a thin notebook"],
  ["toy shop", "a wooden train", "a red kite", "a small drum"],
  ["pharmacy", "some cough drops", "a roll of gauze", "a bottle of syrup"],
  ["harbour", "a fresh mackerel", "a bucket of crabs", "a coil of rope"],
];
const KIN = ["brother", "mother", "neighbour", "teacher", "cousin", "grandfather"];
const ENDS = ["It was cheaper than last year.", "The way home was long.", "Everybody was pleased.", "Nobody had asked for it.", "It began to rain on the way back."];

const TOWNS = ["Oslo", "Lisbon", "Cairo", "Lima", "Kyoto", "Perth", "Quebec"];
const WINDS = [
  ["north", "snow", "minus two"],
  ["south", "haze", "thirty"],
  ["west", "showers", "twelve"],
  ["east", "clear skies", "twenty"],
];
const TIMES = ["by dawn", "around noon", "towards evening", "after midnight"];
const ADVICE = ["Take a coat.", "Keep the windows shut.", "Ferries run late.", "A good day for laundry.", "Roads may be wet."];

/** @param {() => number} random */
function errand(random) {
  const pick = pickWith(random);
  const [name, their] = pick(PEOPLE);
  const [shop, ...goods] = pick(SHOPS);
  return `${pick(DAYS)} ${name} went to the ${shop} and bought ${pick(goods)} for ${their} ${pick(KIN)}. ${pick(ENDS)}`;
}

/** @param {() => number} random */
function report(random) {
  const pick = pickWith(random);
  const [wind, brings, degrees] = pick(WINDS);
  return `${pick(TOWNS)}: a ${wind} wind brings ${brings} ${pick(TIMES)}, about ${degrees} degrees. ${pick(ADVICE)}`;
}

/** @param {() => number} random */
const pickWith = (random) => (/** @type {any[]} */ list) => list[Math.floor(random() * list.length)];

/** @param {(random: () => number) => string} line @param {number} count @param {number} seed @returns {string[]} that differ */
function lines(line, count, seed) {
  const random = randomOf(seed);
  /** @type {Set<string>} */
  const found = new Set();
  while (found.size < count) found.add(line(random));
  return [...found];
}

/** @param {() => string[]} made @returns {() => string} */
function textOf(made) {
  return () => made().map((each) => `${each}\n`).join("");
}

/** @param {number} from @param {number} to @returns {() => string[]} none of them stands in another part */
const errands = (from, to) => () => lines(errand, to, 1).slice(from, to);

/** @type {Record<string, () => string>} what a lesson's datasets hold, by the names that its settings use */
export const TEXTS = {
  errands: textOf(errands(0, 1000)),
  "errands-20": textOf(errands(1000, 1020)),
  "errands-30": textOf(errands(1020, 1050)),
  "errands-unseen": textOf(errands(1080, 1160)),
  weather: textOf(() => lines(report, 300, 2)),
};
