/**
 * Views are hash routes, so that each is a link.
 *
 * @typedef {"board" | "compare" | "new" | "run" | "microscope" | "playground" | "evaluate" | "datasets" | "dataset"
 *   | "disk" | "learn" | "lesson" | "unknown"} Page
 *
 * @typedef {object} Route
 * @property {Page} page
 * @property {string} id of the run, dataset, page of Learn or lesson, else empty
 * @property {URLSearchParams} query
 */

/**
 * @param {string} hash location.hash
 * @returns {Route}
 */
export function parseRoute(hash) {
  const [path, search = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean);
  const query = new URLSearchParams(search);
  if (parts.length === 0) return { page: "board", id: "", query };
  if (parts.length === 2 && parts[0] === "runs") return { page: "run", id: decode(parts[1]), query };
  if (parts.length === 3 && parts[0] === "runs" && parts[2] === "microscope") return { page: "microscope", id: decode(parts[1]), query };
  if (parts.length === 2 && parts[0] === "datasets") return { page: "dataset", id: decode(parts[1]), query };
  if (parts.length === 2 && parts[0] === "learn") return { page: "learn", id: decode(parts[1]), query };
  if (parts.length === 3 && parts[0] === "learn" && parts[1] === "lessons") return { page: "lesson", id: decode(parts[2]), query };
  if (parts.length === 1) {
    if (parts[0] === "new") return { page: "new", id: "", query };
    if (parts[0] === "compare") return { page: "compare", id: "", query };
    if (parts[0] === "playground") return { page: "playground", id: "", query };
    if (parts[0] === "evaluate") return { page: "evaluate", id: "", query };
    if (parts[0] === "datasets") return { page: "datasets", id: "", query };
    if (parts[0] === "disk") return { page: "disk", id: "", query };
    if (parts[0] === "learn") return { page: "learn", id: "", query };
  }
  return { page: "unknown", id: "", query };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone % in a link typed by hand: look that name up as it stands
  }
}

/** @param {string} id */
export const runLink = (id) => `#/runs/${encodeURIComponent(id)}`;

/** One training step of a run, slowed down. @param {string} id */
export const microscopeLink = (id) => `${runLink(id)}/microscope`;

/** @param {string[]} runs */
export const compareLink = (runs) => `#/compare?runs=${runs.map(encodeURIComponent).join(",")}`;

/** @param {string[]} models one, or several side by side */
export const playgroundLink = (...models) => `#/playground?${models.map((model) => `model=${encodeURIComponent(model)}`).join("&")}`;

/** One prompt at each checkpoint of a run. @param {string} run */
export const checkpointsLink = (run) => `#/playground?checkpoints=${encodeURIComponent(run)}`;

/**
 * @param {string[]} models
 * @param {"text" | "datasets" | "prompts"} [part] of the page
 * @param {string[]} [datasets]
 */
export function evaluateLink(models, part = "datasets", datasets = []) {
  const lists = [models, datasets].map((names) => names.map(encodeURIComponent).join(","));
  return `#/evaluate?part=${part}&models=${lists[0]}${datasets.length > 0 ? `&datasets=${lists[1]}` : ""}`;
}

/** @param {string} id */
export const datasetLink = (id) => `#/datasets/${encodeURIComponent(id)}`;

/** The form, filled in like a run's. @param {string} run */
export const sameRunLink = (run) => `#/new?from=${encodeURIComponent(run)}`;

/** The form, with a dataset chosen. @param {string} dataset @param {boolean} [byGroup] and to be split by group */
export const trainOnLink = (dataset, byGroup = false) =>
  `#/new?dataset=${encodeURIComponent(dataset)}${byGroup ? "&split_by_group=true" : ""}`;

/** What something is. @param {string} name of a page of Learn */
export const learnLink = (name) => `#/learn/${encodeURIComponent(name)}`;

/** @param {string} name */
export const lessonLink = (name) => `#/learn/lessons/${encodeURIComponent(name)}`;
