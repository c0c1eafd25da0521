/** How the server is asked, and what its errors become. */
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

export const UNREACHABLE = {
  code: "unreachable",
  message: "The Trainboard server does not answer.",
  hint: "Check in its terminal that it still runs, then try again. Training goes on without it.",
};

/** @param {string} text @param {number} status @returns {ApiError} */
export function errorFrom(text, status) {
  try {
    return new ApiError(status, JSON.parse(text).error);
  } catch {
    return new ApiError(status, { code: "unexpected", message: `The server answered ${status} without saying why.` });
  }
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
export async function send(path, options) {
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

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export const get = async (path, signal) => (await send(path, { signal })).json();

/** @param {string} method @param {string} path @param {unknown} body @param {RequestInit} [options] */
export function sendJson(method, path, body, options) {
  const headers = { "Content-Type": "application/json", ...options?.headers };
  return send(path, { ...options, method, body: JSON.stringify(body), headers });
}

/**
 * @param {Promise<Response>} answer a stream that ends with `done` or `error`
 * @returns {AsyncGenerator<{ type: string, data: any }>} its events, up to `done`
 * @throws {ApiError} also when the answer breaks off midway
 */
export async function* eventsOf(answer) {
  const response = await answer;
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
