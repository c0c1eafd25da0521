/**
 * What a run's page asks the server first. It is asked as soon as this module is there, which index.html names first of all:
 * the answers are under way while the browser still reads the page's other modules.
 */
import { SERIES_KEYS } from "../charts/series.js";
import { parseRoute } from "../router.js";
import * as api from "../server/api.js";

/** Points of a whole run: about as many as a wide chart has pixels. */
const POINTS = 800;

const route = parseRoute(location.hash);
let asked = route.page === "run" ? { id: route.id, answers: ask(route.id) } : null;
asked?.answers.catch(() => {}); // whoever takes them is told

/** @param {string} id @returns {ReturnType<typeof ask>} @throws {import("../server/requests.js").ApiError} */
export function answersOf(id) {
  const answers = asked?.id === id ? asked.answers : ask(id);
  asked = null;
  return answers;
}

/** All at once; a stream after the oldest ``cursor`` has what came between the answers. @param {string} id */
async function ask(id) {
  const answers = await Promise.all([
    api.getRun(id),
    api.getSeries(id, SERIES_KEYS, POINTS),
    api.getSamples(id),
    api.getCheckpoints(id),
    api.getMessages(id),
    api.getFindings(id),
  ]);
  const [run, series, samples, checkpoints, messages, findings] = answers;
  const cursor = Math.min(...answers.map((answer) => answer.stream_cursor));
  return { run, series, samples, checkpoints, messages, findings, cursor };
}
