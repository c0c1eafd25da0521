/**
 * Every call to the server that the page makes.
 *
 * @import * as T from "./types.js"
 */
import { readEvents } from "./sse.js";

/** The server's answer was an error; `message` and `hint` are sentences for people. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status; 0 if the server could not be reached
   * @param {{ code: string, message: string, field?: string | null, hint?: string | null }} error
   */
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.field = error.field ?? null;
    this.hint = error.hint ?? null;
  }

  /** Whether the same request may succeed a little later. */
  get passing() {
    return this.status === 0 || this.status >= 500;
  }
}

/** How long a page that could not be loaded waits before it tries again. */
export const RETRY_MS = 3000;

const UNREACHABLE = {
  code: "unreachable",
  message: "The Trainboard server does not answer.",
  hint: "Check in its terminal that it still runs, then try again. Training goes on without it.",
};

/** @param {string} text @param {number} status @returns {ApiError} */
function errorFrom(text, status) {
  try {
    return new ApiError(status, JSON.parse(text).error);
  } catch {
    return new ApiError(status, { code: "unexpected", message: `The server answered ${status} without saying why.` });
  }
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, UNREACHABLE);
  }
  if (!response.ok) throw errorFrom(await response.text(), response.status);
  return response;
}

/** @param {string} path @returns {Promise<any>} */
const get = async (path) => (await send(path)).json();

/** @param {string} method @param {string} path @param {unknown} body @param {HeadersInit} [headers] */
function sendJson(method, path, body, headers) {
  return send(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } });
}

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

/** @param {string | null} [cursor] @returns {Promise<T.Page<T.Run>>} */
export const listRuns = (cursor) => get(`/api/runs?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);

/** @param {string} id @returns {Promise<T.Run>} */
export const getRun = (id) => get(runPath(id));

/** @param {T.Config} config @param {string} key @returns {Promise<T.Run>} */
export async function createRun(config, key) {
  return (await sendJson("POST", "/api/runs", config, { "Idempotency-Key": key })).json();
}

/** @param {string} id @param {string} name @returns {Promise<T.Run>} */
export const renameRun = async (id, name) => (await sendJson("PATCH", runPath(id), { name })).json();

/** @typedef {"pause" | "resume" | "retry" | "stop" | "kill"} RunAction */

/** @param {string} id @param {RunAction} action @returns {Promise<T.Run>} */
export const actOnRun = async (id, action) => (await send(`${runPath(id)}/${action}`, { method: "POST" })).json();

/** @param {string} id */
export const deleteRun = (id) => send(runPath(id), { method: "DELETE" });

/** @param {string} id @returns {Promise<T.SeriesSnapshot>} */
export const getSeries = (id) => get(`${runPath(id)}/series?keys=loss,lr,validation_loss&px=1000`);

/** @param {string} id @returns {Promise<{ items: T.MessageEvent[] }>} */
export const getMessages = (id) => get(`${runPath(id)}/events?type=message`);

/** @param {string} id @returns {Promise<{ items: T.Sample[] }>} */
export const getSamples = (id) => get(`${runPath(id)}/samples`);

/** @param {string} id @returns {Promise<{ items: T.Checkpoint[] }>} */
export const getCheckpoints = (id) => get(`${runPath(id)}/checkpoints`);

/** @param {string} id @param {number} offset negative: that many bytes from the end @returns {Promise<T.LogChunk>} */
export const getLog = (id, offset) => get(`${runPath(id)}/log?offset=${offset}`);

/** @returns {Promise<{ items: T.Dataset[] }>} */
export const listDatasets = () => get("/api/datasets");

/** @param {string} id @returns {Promise<T.Preview>} */
export const previewDataset = (id) => get(`/api/datasets/${encodeURIComponent(id)}/preview?limit=20`);

/** @param {string} id */
export const deleteDataset = (id) => send(`/api/datasets/${encodeURIComponent(id)}`, { method: "DELETE" });

/** @returns {Promise<{ items: T.Model[] }>} */
export const listModels = () => get("/api/models");

/**
 * Upload by XMLHttpRequest: fetch cannot tell how much has been sent.
 *
 * @param {File} file
 * @param {(share: number) => void} onProgress 0 to 1
 * @returns {Promise<T.Dataset>}
 */
export function uploadDataset(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/datasets");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new ApiError(0, UNREACHABLE));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(errorFrom(request.responseText, request.status));
    };
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  });
}

/**
 * @param {T.GenerateRequest} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<{ type: string, data: any }>} `loading`, `token` and `done`
 * @throws {ApiError} also when generation breaks midway
 */
export async function* generate(body, signal) {
  const response = await send("/api/generate", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
    signal,
  });
  try {
    for await (const event of readEvents(response)) {
      const data = JSON.parse(event.data);
      if (event.type === "error") throw new ApiError(response.status, data.error);
      yield { type: event.type, data };
      if (event.type === "done") return;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a TypeError is what a lost connection becomes
  }
  throw new ApiError(0, UNREACHABLE);
}
