/**
 * The board's runs, newest first, kept current by one stream for all of them.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Run, RunEvent } from "./types.js"
 * @import { Connection } from "./stream.js"
 */
import { batch, signal } from "@preact/signals";
import * as api from "./api.js";
import { coalesce } from "./coalesce.js";
import { announce } from "./notifications.js";
import { applyEvent, beyond, mergeSnapshot } from "./run-state.js";
import { Stream } from "./stream.js";

export class BoardStore {
  /** Null until loaded. Each run is a signal of its own, so that a step redraws one row. */
  runs = signal(/** @type {Signal<Run>[] | null} */ (null));
  nextPage = signal(/** @type {string | null} */ (null));
  connection = signal(/** @type {Connection} */ ("connecting"));
  error = signal(/** @type {api.ApiError | null} */ (null));
  refresh;
  /** @type {Stream | null} */
  #stream = null;
  #retry = 0;
  #closed = false;

  constructor() {
    this.refresh = coalesce(async () => {
      await this.#loadFirstPage();
    });
  }

  async open() {
    const cursor = await this.#loadFirstPage();
    if (this.#closed) return;
    if (cursor === null) {
      if (this.error.value?.passing) this.#retry = setTimeout(() => this.open(), api.RETRY_MS);
      return;
    }
    this.#stream = new Stream("/api/stream", cursor, {
      onEvents: (events) => batch(() => this.#apply(events)),
      onConnection: (connection) => (this.connection.value = connection),
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#stream?.close();
  }

  async loadMore() {
    await this.#guarded(async () => {
      const page = await api.listRuns(this.nextPage.value);
      this.nextPage.value = page.next_cursor;
      this.#merge([...(this.runs.value ?? []).map((run) => run.peek()), ...page.items]);
    });
  }

  /** @returns {Promise<number | null>} the cursor to follow from, null if the server could not be asked */
  #loadFirstPage() {
    return this.#guarded(async () => {
      const page = await api.listRuns();
      const known = this.runs.value?.map((run) => run.peek()) ?? [];
      const older = beyond(page, known);
      if (!older.length) this.nextPage.value = page.next_cursor;
      this.#merge([...page.items, ...older]);
      return page.stream_cursor;
    });
  }

  /**
   * @template R
   * @param {() => Promise<R>} work
   * @returns {Promise<R | null>}
   */
  async #guarded(work) {
    try {
      const result = await work();
      this.error.value = null;
      return result;
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      this.error.value = error;
      return null;
    }
  }

  /** @param {Run[]} runs */
  #merge(runs) {
    const known = new Map((this.runs.value ?? []).map((run) => [run.peek().id, run]));
    this.runs.value = runs.map((run) => {
      const entry = known.get(run.id) ?? signal(run);
      entry.value = mergeSnapshot(entry.peek(), run);
      return entry;
    });
  }

  /** @param {RunEvent[]} events */
  #apply(events) {
    const known = new Map((this.runs.value ?? []).map((run) => [run.peek().id, run]));
    for (const event of events) {
      const entry = known.get(event.run);
      if (entry) announce(entry.peek(), (entry.value = applyEvent(entry.peek(), event)));
    }
    // The server's facts (created, started, ended, renamed, deleted) are rare and move more than one row's queue place.
    // A run that goes on from a checkpoint has lost its losses until the server tells them.
    const unknown = (/** @type {RunEvent} */ event) => event.type === "status" && event.resumed_step != null;
    if (events.some((event) => event.type === "server" || unknown(event))) this.refresh();
  }
}
