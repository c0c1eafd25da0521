/**
 * What this browser keeps: own presets, and prompts with their answers. Each is a list, the newest first.
 *
 * @import { SamplingPreset } from "./settings.js"
 * @import { Session } from "./link.js"
 *
 * @typedef {Session & { id: string, time: string }} Entry of the history
 */

const PRESETS_KEY = "playground-presets";
const HISTORY_KEY = "playground-history";
const MOST_PRESETS = 50;
const MOST_ENTRIES = 50;
/** Browsers keep about five million characters for a whole site. */
const MOST_CHARACTERS = 1_000_000;

/** @returns {SamplingPreset[]} */
export const ownPresets = () => read(PRESETS_KEY).map((preset) => ({ ...preset, own: true }));

/** One of the same name is replaced. @param {string} name @param {SamplingPreset["values"]} values */
export function keepPreset(name, values) {
  write(PRESETS_KEY, [{ name, values }, ...read(PRESETS_KEY).filter((each) => each.name !== name)].slice(0, MOST_PRESETS));
}

/** @param {string} name */
export const dropPreset = (name) => write(PRESETS_KEY, read(PRESETS_KEY).filter((each) => each.name !== name));

/** @returns {Entry[]} */
export const history = () => read(HISTORY_KEY);

/** An entry, or the later state of one. @param {Entry} entry */
export function remember(entry) {
  write(HISTORY_KEY, bounded([entry, ...history().filter(({ id }) => id !== entry.id)], MOST_ENTRIES, MOST_CHARACTERS));
}

/** @param {string} id */
export const forget = (id) => write(HISTORY_KEY, history().filter((entry) => entry.id !== id));

export const forgetAll = () => localStorage.removeItem(HISTORY_KEY);

/**
 * @template T
 * @param {T[]} items the newest first
 * @param {number} most
 * @param {number} characters as JSON, all together
 * @returns {T[]} as many of the newest as there is room for
 */
export function bounded(items, most, characters) {
  let room = characters;
  const fitting = items.filter((item) => {
    const size = JSON.stringify(item).length;
    if (size > room) return false; // a huge one is left out alone, and pushes out no others
    room -= size;
    return true;
  });
  return fitting.slice(0, most);
}

/** @param {string} key @returns {any[]} */
function read(key) {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return []; // not of this page's making
  }
}

/** @param {string} key @param {unknown[]} items */
function write(key, items) {
  try {
    localStorage.setItem(key, JSON.stringify(items));
  } catch {
    // The browser's room is taken by other pages of this address, or it keeps nothing: then there is no history.
  }
}
