/**
 * How far a reader is, kept in this browser alone: each lesson's guess and its runs, and whether the tour was seen.
 *
 * @typedef {object} Progress
 * @property {string | null} guess the choice that was made
 * @property {string[]} runs ids of the runs that were started
 * @property {string | null} ended the choice that came true
 */

const KEY = "learn";

/** @type {Progress} */
const NOTHING = { guess: null, runs: [], ended: null };

/** @returns {{ lessons?: Record<string, Progress>, toured?: boolean }} */
function kept() {
  try {
    return Object(JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    return {}; // not of this page's making
  }
}

/** @param {string} lesson @returns {Progress} */
export const progressOf = (lesson) => ({ ...NOTHING, ...kept().lessons?.[lesson] });

/** @param {string} lesson @param {Partial<Progress>} change */
export function keepProgress(lesson, change) {
  const all = kept();
  localStorage.setItem(KEY, JSON.stringify({ ...all, lessons: { ...all.lessons, [lesson]: { ...progressOf(lesson), ...change } } }));
}

/** @param {string} lesson to begin anew */
export const forget = (lesson) => keepProgress(lesson, NOTHING);

/** Whether the tour was finished or skipped. */
export const toured = () => kept().toured === true;

export const keepToured = () => localStorage.setItem(KEY, JSON.stringify({ ...kept(), toured: true }));
