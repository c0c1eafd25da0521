/**
 * The evaluations there are; of those that are not done the oldest is followed, as the others wait for it.
 *
 * @import { Evaluation } from "../../types.js"
 */
import { signal } from "@preact/signals-core";
import { createEvaluation, deleteEvaluation, listEvaluations, stopEvaluation, watchEvaluation } from "../../server/api.js";
import { ApiError, RETRY_MS } from "../../server/requests.js";
import { isUnfinished } from "./table.js";

export class Evaluations {
  items = signal(/** @type {Evaluation[] | null} */ (null));
  /** Why there is no news; it is tried again. */
  error = signal(/** @type {ApiError | null} */ (null));
  #timer = 0;
  #following = new AbortController();

  /** Loads the list, and follows until all are done. */
  async open() {
    this.close();
    const { signal: left } = (this.#following = new AbortController());
    try {
      for (;;) {
        const { items } = await listEvaluations();
        if (left.aborted) return;
        this.items.value = items;
        this.error.value = null;
        const next = items.findLast(isUnfinished);
        if (!next) return;
        for await (const { data } of watchEvaluation(next.id, left)) this.#take(data);
      }
    } catch (reason) {
      if (left.aborted) return;
      if (!(reason instanceof ApiError)) throw reason;
      const deleted = reason.code === "not_found"; // meanwhile, here or in another window
      if (!deleted) this.error.value = reason;
      this.#timer = setTimeout(() => this.open(), deleted ? 0 : RETRY_MS);
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.#following.abort();
  }

  /** @param {Evaluation} changed */
  #take(changed) {
    this.items.value = this.items.value?.map((each) => (each.id === changed.id ? changed : each)) ?? [changed];
  }

  /** @param {Parameters<typeof createEvaluation>[0]} wanted */
  async start(wanted) {
    await createEvaluation(wanted);
    this.open();
  }

  /** @param {string} id */
  async stop(id) {
    this.#take(await stopEvaluation(id));
  }

  /** @param {string} id */
  async remove(id) {
    await deleteEvaluation(id);
    this.open();
  }
}
