/**
 * An answer as it is written.
 *
 * @import { GeneratedToken, GenerateRequest, Generated } from "../../types.js"
 *
 * @typedef {"idle" | "waiting" | "loading" | "writing"} Phase
 */
import { signal } from "@preact/signals";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";

/** How many of the likeliest tokens are shown beside the one that was taken. */
const ALTERNATIVES = 5;

export class Answer {
  /** @param {string} model id @param {string} [text] of an answer that was there before */
  constructor(model, text = "") {
    this.model = model;
    this.text = signal(text);
    this.phase = signal(/** @type {Phase} */ ("idle"));
    /** Told once the answer has ended; of one from the history nothing is known. */
    this.tokens = signal(/** @type {GeneratedToken[]} */ ([]));
    this.end = signal(/** @type {Generated | null} */ (null));
    this.stopped = signal(false);
    /** Whether somebody wrote some of it. */
    this.edited = signal(false);
    this.error = signal(/** @type {ApiError | null} */ (null));
    /** What it was asked with last. @type {GenerateRequest | null} */
    this.request = null;
    /** @type {AbortController | null} */
    this.controller = null;
  }

  get busy() {
    return this.phase.value !== "idle";
  }

  /** Whether it ended as the model's context has no room for more. */
  get isFull() {
    const end = this.end.value;
    return end?.finish_reason === "length" && end.completion_tokens < (this.request?.max_new_tokens ?? 0);
  }

  /** Whether it broke off before the model ended it, and can be gone on with. */
  get unfinished() {
    if (this.end.value) return this.end.value.finish_reason === "length" && !this.isFull;
    return this.stopped.value || this.edited.value || (this.error.value !== null && this.text.value !== "");
  }

  /** The text before its tokens, of which nothing is known: somebody wrote it, or it is of the history. */
  get before() {
    const told = this.tokens.value.map(({ text }) => text).join("");
    return this.text.value.slice(0, Math.max(0, this.text.value.length - told.length));
  }

  /** @param {string} text in place of what the model wrote */
  edit(text) {
    this.stop();
    this.text.value = text;
    this.tokens.value = [];
    this.end.value = this.error.value = null;
    this.stopped.value = false;
    this.edited.value = true;
  }

  stop() {
    this.controller?.abort();
  }

  /** @param {GenerateRequest} request @param {boolean} [goOn] with the text that is there */
  async ask(request, goOn = false) {
    const aborter = (this.controller = new AbortController());
    const tokens = goOn ? [...this.tokens.value] : [];
    if (!goOn) {
      this.text.value = "";
      this.edited.value = false;
    }
    this.request = request;
    this.tokens.value = [];
    this.end.value = this.error.value = null;
    this.stopped.value = false;
    this.phase.value = "waiting";
    try {
      for await (const { type, data } of api.generate({ ...request, top_logprobs: ALTERNATIVES }, aborter.signal)) {
        if (type === "loading") this.phase.value = "loading";
        else if (type === "token") {
          this.phase.value = "writing";
          this.text.value += data.text;
          tokens.push(data);
        } else if (type === "done") this.end.value = data;
      }
    } catch (reason) {
      if (aborter.signal.aborted) this.stopped.value = true;
      else if (reason instanceof ApiError) this.error.value = reason;
      else throw reason;
    } finally {
      this.tokens.value = tokens;
      this.phase.value = "idle";
    }
  }
}
