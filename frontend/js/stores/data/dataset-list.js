/**
 * A setting that names datasets, one a line, and where it is a mixture their shares: what was typed as entries and back. Pure.
 *
 * @typedef {{ id: string, share: string }} Entry `share` is as typed; of a setting without shares it is empty
 */

const FIRST_SHARE = "0.1";

/** @param {string} text one a line @param {boolean} shares @returns {Entry[]} */
export function entriesOf(text, shares) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => {
    const end = shares ? line.lastIndexOf("=") : -1;
    return end < 0 ? { id: line, share: "" } : { id: line.slice(0, end), share: line.slice(end + 1) };
  });
}

/** @param {Entry[]} entries @param {boolean} shares @returns {string} */
export function textOf(entries, shares) {
  return entries.map(({ id, share }) => (shares ? `${id}=${share}` : id)).join("\n");
}

/** @param {Entry[]} entries @param {string[]} ids that may be added @param {boolean} shares @returns {Entry[]} with one more */
export function withOneMore(entries, ids, shares) {
  const next = ids.find((id) => !entries.some((entry) => entry.id === id));
  return next === undefined ? entries : [...entries, { id: next, share: shares ? FIRST_SHARE : "" }];
}

/** @param {Entry[]} entries @returns {number | null} what the shares leave; null if one is no number, or they leave nothing */
export function shareLeft(entries) {
  const left = 1 - entries.reduce((sum, { share }) => sum + (share.trim() === "" ? NaN : Number(share)), 0);
  return left > 0 && left < 1 ? left : null;
}
