/**
 * Learn's small figures as pure functions: what the sliders say in, what is to be drawn and said out. Real arithmetic each.
 *
 * @typedef {object} Slider
 * @property {string} id
 * @property {string} label
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {number} value at the beginning
 * @property {(value: number) => string} [format]
 *
 * @typedef {object} Choice
 * @property {string} id
 * @property {string} label
 * @property {string[]} options
 * @property {number} value which of them at the beginning
 *
 * @typedef {"train" | "validation" | "faint"} Tone
 *
 * @typedef {object} Plot
 * @property {"plot"} kind
 * @property {[number, number]} x
 * @property {[number, number]} y
 * @property {[string, string]} axes
 * @property {boolean} [square] one unit is as long on both axes
 * @property {{ points: [number, number][], tone: Tone, mark?: "dots" | "steps" | "arrow", name?: string }[]} lines a line alone, with dots, or dots alone
 *
 * @typedef {{ kind: "bars", max: number, bars: { label: string, value: number, text: string, tone?: Tone }[] }} Bars
 * @typedef {{ kind: "chips", chips: { text: string, tone: Tone }[] }} Chips
 * @typedef {{ kind: "facts", facts: [label: string, value: string][] }} Facts
 * @typedef {(Plot | Bars | Chips | Facts) & { says: string }} View
 *
 * @typedef {object} Toy
 * @property {string} title
 * @property {(Slider | Choice)[]} controls
 * @property {(values: Record<string, number>) => View} view
 */
import { FIT } from "./figures/fit.js";
import { GUESSES } from "./figures/guesses.js";
import { NOISE } from "./figures/noise.js";
import { RATES } from "./figures/rates.js";
import { SIZES } from "./figures/sizes.js";

/** @type {Record<string, Toy>} */
export const FIGURES_TO_TRY = { ...RATES, ...GUESSES, ...NOISE, ...FIT, ...SIZES };

/** @param {Toy} toy @returns {Record<string, number>} */
export const initialOf = (toy) => Object.fromEntries(toy.controls.map(({ id, value }) => [id, value]));
