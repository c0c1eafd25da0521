/**
 * Every call to the server that the page makes.
 *
 * @import * as T from "../types.js"
 */
import { ApiError, UNREACHABLE, errorFrom, eventsOf, get, send, sendJson } from "./requests.js";

/** @param {string} id */
const runPath = (id) => `/api/runs/${encodeURIComponent(id)}`;

/** A key that makes repeating a request harmless. (crypto.randomUUID is missing on plain-http addresses.) */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {Promise<T.System>} */
export const getSystem = () => get("/api/system");

/** @returns {Promise<T.ConfigSchema>} */
export const getConfigSchema = () => get("/api/config-schema");

/**
 * @param {import("../stores/board-filter.js").Filter} filter
 * @param {number} limit
 * @param {string | null} cursor of the next page
 * @returns {Promise<T.RunList>}
 */
export const listRuns = ({ archived, ...filter }, limit, cursor) =>
  get(`/api/runs?${queryOf({ ...filter, archived: String(archived), limit, cursor })}`);

/** @returns {Promise<{ items: T.TagCount[] }>} */
export const listTags = () => get("/api/tags");

/** @param {string[]} ids 2 to 50 @returns {Promise<T.Comparison>} */
export const compareRuns = (ids) => get(`/api/compare?${queryOf({ runs: ids.join(",") })}`);

/** Each run's series, in at most 500 points. @param {string[]} ids @param {string[]} keys @returns {Promise<T.RunSeries[]>} */
export async function getSeriesOf(ids, keys) {
  const query = queryOf({ runs: ids.join(","), keys: keys.join(","), px: 500 });
  const { items, stream_cursor } = /** @type {T.SeriesList} */ (await get(`/api/series?${query}`));
  return items.map((item) => ({ ...item, stream_cursor }));
}

/** @param {string} id @returns {Promise<T.Run>} */
export const getRun = (id) => get(runPath(id));

/**
 * @param {T.Config} config
 * @param {string} key the same key makes the same run
 * @param {boolean} override start although it is known not to fit
 * @param {string | null} from id of the run whose settings these were
 * @returns {Promise<T.Run>}
 */
export async function createRun(config, key, override = false, from = null) {
  const query = queryOf({ override: override ? "true" : null, from });
  const path = `/api/runs${query.size ? `?${query}` : ""}`;
  return (await sendJson("POST", path, config, { headers: { "Idempotency-Key": key } })).json();
}

/** @param {string} id @param {string} name @returns {Promise<T.Run>} */
export const renameRun = async (id, name) => (await sendJson("PATCH", runPath(id), { name })).json();

/** @param {string} id @param {Partial<T.About>} change @returns {Promise<T.Run>} */
export const changeRun = async (id, change) => (await sendJson("PATCH", runPath(id), change)).json();

/** @typedef {"pause" | "resume" | "retry" | "stop" | "kill"} RunAction */

/** @param {string} id @param {RunAction} action @returns {Promise<T.Run>} */
export const actOnRun = async (id, action) => (await send(`${runPath(id)}/${action}`, { method: "POST" })).json();

/**
 * @param {string} id
 * @param {T.ForkRequest} wanted
 * @param {string} key the same key makes the same run
 * @returns {Promise<T.Run>}
 */
export const forkRun = async (id, wanted, key) =>
  (await sendJson("POST", `${runPath(id)}/fork`, wanted, { headers: { "Idempotency-Key": key } })).json();

/** @param {string} id @param {T.ForkRequest} wanted @param {AbortSignal} signal @returns {Promise<T.ForkPreview>} */
export const previewFork = async (id, wanted, signal) =>
  (await sendJson("POST", `${runPath(id)}/fork/preview`, wanted, { signal })).json();

/** @param {string} id @param {AbortSignal} signal @returns {Promise<T.Lineage>} */
export const getLineage = (id, signal) => get(`${runPath(id)}/lineage`, signal);

/** @param {string} id @returns {Promise<T.FindingList>} */
export const getFindings = (id) => get(`${runPath(id)}/findings`);

/** @param {string} id */
export const deleteRun = (id) => send(runPath(id), { method: "DELETE" });

/**
 * @param {string} id
 * @param {readonly string[]} keys
 * @param {number} px most points
 * @param {{ from: number, to: number } | null} [range] steps; the whole run without
 * @param {AbortSignal} [signal]
 * @returns {Promise<T.SeriesSnapshot>}
 */
export function getSeries(id, keys, px, range, signal) {
  const query = queryOf({ keys: keys.join(","), px, from: range?.from ?? null, to: range?.to ?? null });
  return get(`${runPath(id)}/series?${query}`, signal);
}

/** @param {string} id @param {number} px most columns @returns {Promise<T.Layers>} */
export const getLayers = (id, px) => get(`${runPath(id)}/layers?px=${px}`);

/** @param {string} id @returns {Promise<T.TimeSpent>} */
export const getTiming = (id) => get(`${runPath(id)}/timing`);

/** @param {string} id @returns {Promise<{ items: T.OddRows[], stream_cursor: number }>} */
export const getOddRows = (id) => get(`${runPath(id)}/rows`);

/** @returns {Promise<T.DiskUsage>} */
export const getDisk = () => get("/api/disk");

/** @param {T.Retention} rules @returns {Promise<T.Retention>} */
export const putRetention = async (rules) => (await sendJson("PUT", "/api/disk/retention", rules)).json();

/** @param {string} id @returns {Promise<{ checkpoints: string[], bytes: number }>} */
export const freeCheckpoints = async (id) => (await send(`${runPath(id)}/free`, { method: "POST" })).json();

/** @param {string[]} ids @returns {Promise<T.Deletion>} */
export const deleteRuns = async (ids) => (await sendJson("POST", "/api/runs/delete", { ids })).json();

/** @param {string} id @returns {Promise<{ items: T.MessageEvent[], stream_cursor: number }>} */
export const getMessages = (id) => get(`${runPath(id)}/events?type=message`);

/** @param {string} id @returns {Promise<{ items: T.EvaluationEvent[], stream_cursor: number }>} */
export const getEvaluations = (id) => get(`${runPath(id)}/events?type=evaluation`);

/** @param {string} id @returns {Promise<{ items: T.Sample[], stream_cursor: number }>} */
export const getSamples = (id) => get(`${runPath(id)}/samples`);

/**
 * @param {string} id
 * @param {T.MicroscopeRequest} wanted
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` {text}, and `done` with the MicroscopeStep
 */
export const lookAtStep = (id, wanted, signal) => eventsOf(sendJson("POST", `${runPath(id)}/microscope`, wanted, { signal }));

/** @param {string} id @returns {Promise<{ items: T.Checkpoint[], stream_cursor: number }>} */
export const getCheckpoints = (id) => get(`${runPath(id)}/checkpoints`);

/** @param {string} id @param {number} offset negative: that many bytes from the end @returns {Promise<T.LogChunk>} */
export const getLog = (id, offset) => get(`${runPath(id)}/log?offset=${offset}`);

/** @param {string} id @param {string} file one of those that a run can be had as @returns {string} its address */
export const filePath = (id, file) => `${runPath(id)}/files/${file}`;

/** @param {string} id @param {string} name @param {string} [part] of it @returns {string} its address */
export const exportPath = (id, name, part) => `${runPath(id)}/exports/${encodeURIComponent(name)}${part ? `/${part}` : ""}`;

/** @param {string} id @returns {Promise<{ items: T.Export[] }>} */
export const listExports = (id) => get(`${runPath(id)}/exports`);

/**
 * @param {string} id
 * @param {{ checkpoint: string | null, format: T.Export["format"], number_format: T.Export["number_format"] }} wanted
 * @returns {Promise<T.Export>}
 */
export const createExport = async (id, wanted) => (await sendJson("POST", `${runPath(id)}/exports`, wanted)).json();

/**
 * @param {string} id
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` and `done` with the Export
 */
export const followExport = (id, name, signal) => eventsOf(send(exportPath(id, name, "events"), { signal }));

/**
 * @param {string} id
 * @param {string} name
 * @param {{ repository: string, private: boolean, token: string | null }} wanted
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` {text}, and `done` {url}
 */
export const pushExport = (id, name, wanted, signal) => eventsOf(sendJson("POST", exportPath(id, name, "push"), wanted, { signal }));

/** @param {string} id @param {string} name */
export const deleteExport = (id, name) => send(exportPath(id, name), { method: "DELETE" });

/** @param {string} id */
const datasetPath = (id) => `/api/datasets/${encodeURIComponent(id)}`;

/** @returns {Promise<{ items: T.Dataset[] }>} */
export const listDatasets = () => get("/api/datasets");

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<T.Dataset>} */
export const getDataset = (id, signal) => get(datasetPath(id), signal);

/** @param {string} id @param {{ name?: string, reading?: T.Reading, header?: boolean }} change @returns {Promise<T.Dataset>} */
export const changeDataset = async (id, change) => (await sendJson("PATCH", datasetPath(id), change)).json();

/**
 * @param {string} id
 * @param {{ limit: number, start?: number, random?: number }} query `random` is a seed
 * @param {AbortSignal} signal
 * @returns {Promise<T.Preview>}
 */
export const previewDataset = (id, query, signal) => get(`${datasetPath(id)}/preview?${queryOf(query)}`, signal);

/** @param {Record<string, string | number | null>} values what is empty is left out */
function queryOf(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== "");
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
}

/**
 * @param {string} id
 * @param {{ model_name: string, max_length: string }} query empty: the usual
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` {text}, and `done` with Statistics
 */
export const datasetStatistics = (id, query, signal) =>
  eventsOf(send(`${datasetPath(id)}/statistics?${queryOf(query)}`, { signal }));

/** @param {string} id @param {T.TokensRequest} body @param {AbortSignal} signal @returns {Promise<T.TokenView>} */
export const datasetTokens = async (id, body, signal) =>
  (await sendJson("POST", `${datasetPath(id)}/tokens`, body, { signal })).json();

/**
 * @param {{ id: string, split: string }} wanted
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` {bytes, total}, and `done` with the Dataset
 */
export const fetchDataset = (wanted, signal) => eventsOf(sendJson("POST", "/api/datasets/hub", wanted, { signal }));

/** @param {string} id */
export const deleteDataset = (id) => send(datasetPath(id), { method: "DELETE" });

/** @param {T.Config} config @param {AbortSignal} signal @returns {Promise<T.Preflight>} */
export const preflight = async (config, signal) => (await sendJson("POST", "/api/preflight", config, { signal })).json();

/**
 * @param {T.Config} config
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` {text}, and `done` with the Preflight
 */
export const measure = (config, signal) => eventsOf(sendJson("POST", "/api/preflight/measure", config, { signal }));

/** @returns {Promise<{ items: T.Model[] }>} */
export const listModels = () => get("/api/models");

/**
 * Upload by XMLHttpRequest: fetch cannot tell how much has been sent. The server may refuse before it has all.
 *
 * @param {File} file
 * @param {(sent: number) => void} onProgress bytes
 * @param {AbortSignal} signal
 * @returns {Promise<T.Dataset>}
 */
export function uploadDataset(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/datasets");
    request.upload.onprogress = (event) => onProgress(Math.min(event.loaded, file.size));
    request.onerror = () => reject(new ApiError(0, UNREACHABLE));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(errorFrom(request.responseText, request.status));
    };
    signal.addEventListener("abort", () => request.abort());
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  });
}

/**
 * @param {T.GenerateRequest} body
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `loading`, `prompt` if it is echoed, `token` and `done`
 */
export const generate = (body, signal) => eventsOf(sendJson("POST", "/api/generate", body, { signal }));

/** @returns {Promise<T.Generation>} the models that the server holds in memory */
export const modelsInMemory = () => get("/api/generate/models");

/** @returns {Promise<T.Generation>} what is left after those that write nothing have been freed */
export const freeModels = async () => (await send("/api/generate/models", { method: "DELETE" })).json();

/** @param {T.NewVote} vote @returns {Promise<T.Vote>} */
export const vote = async (vote) => (await sendJson("POST", "/api/votes", vote)).json();

/** @param {number} limit @returns {Promise<T.VoteList>} */
export const listVotes = (limit) => get(`/api/votes?limit=${limit}`);

/** @param {string} id */
export const deleteVote = (id) => send(`/api/votes/${encodeURIComponent(id)}`, { method: "DELETE" });

/** @returns {Promise<T.PreferenceData>} a dataset of all votes */
export const datasetOfVotes = async () => (await send("/api/votes/dataset", { method: "POST" })).json();

/**
 * @param {{ models: string[], text: string }} body
 * @param {AbortSignal} signal
 * @returns {ReturnType<typeof eventsOf>} `progress` {model, text, share}, and `done` with what each model makes of the text
 */
export const scoreText = (body, signal) => eventsOf(sendJson("POST", "/api/score", body, { signal }));

/** @returns {Promise<{ items: T.Evaluation[] }>} */
export const listEvaluations = () => get("/api/evaluations");

/** @param {{ models: string[], datasets: string[], limit: number | string | null }} body @returns {Promise<T.Evaluation>} */
export const createEvaluation = async (body) => (await sendJson("POST", "/api/evaluations", body)).json();

/** @param {string} id */
const evaluationPath = (id) => `/api/evaluations/${encodeURIComponent(id)}`;

/** @param {string} id @param {AbortSignal} signal @returns {ReturnType<typeof eventsOf>} `evaluation` and `done`: as it is */
export const watchEvaluation = (id, signal) => eventsOf(send(`${evaluationPath(id)}/stream`, { signal }));

/** @param {string} id @returns {Promise<T.Evaluation>} */
export const stopEvaluation = async (id) => (await send(`${evaluationPath(id)}/stop`, { method: "POST" })).json();

/** @param {string} id */
export const deleteEvaluation = (id) => send(evaluationPath(id), { method: "DELETE" });

/** @returns {Promise<{ items: T.Share[] }>} links that were given out */
export const listShares = () => get("/api/shares");

/** @param {{ run?: string, model?: string, expires_in_s: number }} body @returns {Promise<T.Share>} */
export const createShare = async (body) => (await sendJson("POST", "/api/shares", body)).json();

/** @param {string} id takes the link back */
export const deleteShare = (id) => send(`/api/shares/${encodeURIComponent(id)}`, { method: "DELETE" });
