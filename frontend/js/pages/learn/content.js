/**
 * What each page of Learn says, by name.
 *
 * @import { System } from "../../types.js"
 *
 * @typedef {object} Page
 * @property {string} about two sentences
 * @property {string} [analogy]
 * @property {{ math: string, words: string }} [formula] as MathML, and what it says in words
 * @property {string} [figure] a name in stores/learn/figures.js
 * @property {string[]} [see] how to see it here
 * @property {(string | ((machine: System) => string))[]} [remedies] what to do, some in this machine's numbers
 * @property {string} [opens] where one's own run shows it: see stores/learn/opens.js
 * @property {string} [lesson] the one that shows it
 * @property {string[]} [also] further pages
 */
import { CAUSES } from "./content/causes.js";
import { DATA } from "./content/data.js";
import { FINDINGS } from "./content/findings.js";
import { HELP } from "./content/help.js";
import { MACHINE } from "./content/machine.js";
import { QUALITY } from "./content/quality.js";
import { CHOICES } from "./content/settings.js";
import { STATUSES } from "./content/statuses.js";
import { STEP } from "./content/step.js";

/** @type {Record<string, Page>} */
export const CONTENT = { ...STEP, ...CHOICES, ...QUALITY, ...DATA, ...MACHINE, ...FINDINGS, ...CAUSES, ...HELP, ...STATUSES };
