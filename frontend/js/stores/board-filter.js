/**
 * Which runs the board shows, and in which order: as the controls, the link and the server say it. Pure.
 *
 * @typedef {object} Filter
 * @property {string} q text to look for
 * @property {string} status one or more, separated by commas; empty for all
 * @property {string} tag
 * @property {string} sort
 * @property {boolean} archived only archived runs instead of only the others
 */

/** @type {[value: string, title: string][]} */
export const STATUSES = [
  ["", "Any status"],
  ["queued,starting,running,pausing,paused,stopping", "Active"],
  ["completed", "Completed"],
  ["stopped", "Stopped"],
  ["failed,interrupted", "Failed"],
];

/** @type {[value: string, title: string][]} */
export const SORTS = [
  ["created", "Newest first"],
  ["name", "Name, A to Z"],
  ["validation_loss", "Lowest validation loss"],
  ["loss", "Lowest training loss"],
  ["tokens_per_s", "Most tokens/s"],
  ["duration", "Longest"],
];

/** @type {Filter} */
export const NO_FILTER = { q: "", status: "", tag: "", sort: "created", archived: false };

/** @param {URLSearchParams} query of the link @returns {Filter} what is unknown there is left out */
export function filterOf(query) {
  const known = (/** @type {[string, string][]} */ options, /** @type {string | null} */ value) =>
    options.some(([option]) => option === value) ? /** @type {string} */ (value) : options[0][0];
  return {
    q: (query.get("q") ?? "").slice(0, 200),
    status: known(STATUSES, query.get("status")),
    tag: (query.get("tag") ?? "").slice(0, 40),
    sort: known(SORTS, query.get("sort")),
    archived: query.get("archived") === "1",
  };
}

/** @param {Filter} filter @returns {string} the board's link */
export function boardLink(filter) {
  const query = new URLSearchParams();
  for (const name of /** @type {const} */ (["q", "status", "tag"])) if (filter[name]) query.set(name, filter[name]);
  if (filter.sort !== NO_FILTER.sort) query.set("sort", filter.sort);
  if (filter.archived) query.set("archived", "1");
  return query.size ? `#/?${query}` : "#/";
}

/** @param {Filter} filter whether it leaves runs out */
export const narrows = (filter) => Boolean(filter.q || filter.status || filter.tag || filter.archived);
