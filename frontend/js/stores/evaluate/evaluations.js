/**
 * The evaluations there are, looked at again every second as long as one is unfinished.
 *
 * @import { Evaluation } from "../../types.js"
 */
import { signal } from "@preact/signals-core";
import { ApiError, createEvaluation, deleteEvaluation, listEvaluations, RETRY_MS, stopEvaluation } from "../../server/api.js";
import { isUnfinished } from "./table.js";

const PAUSE_MS = 1000;

export class Evaluations {
  items = signal(/** @type {Evaluation[] | null} */ (null));
  /** Why the list could not be had. */
  error = signal(/** @type {ApiError | null} */ (null));
  #timer = 0;
  #closed = false;

  async open() {
    clearTimeout(this.#timer);
    let pause = PAUSE_MS;
    try {
      this.items.value = (await listEvaluations()).items;
      this.error.value = null;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      this.error.value = reason;
      pause = RETRY_MS;
    }
    if (this.#closed || !(this.error.value || this.items.value?.some(isUnfinished))) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), pause);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** @param {Parameters<typeof createEvaluation>[0]} wanted */
  async start(wanted) {
    await createEvaluation(wanted);
    await this.open();
  }

  /** @param {string} id */
  async stop(id) {
    await stopEvaluation(id);
    await this.open();
  }

  /** @param {string} id */
  async remove(id) {
    await deleteEvaluation(id);
    await this.open();
  }
}
