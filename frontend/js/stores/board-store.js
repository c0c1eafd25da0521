/**
 * The board's runs, as they are filtered and sorted, kept current by one stream for all of them.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Filter } from "./board-filter.js"
 * @import { Machine, Run, RunEvent, TagCount } from "../types.js"
 * @import { Connection } from "../server/stream.js"
 */
import { batch, signal } from "@preact/signals";
import * as api from "../server/api.js";
import { ApiError, RETRY_MS } from "../server/requests.js";
import { NO_FILTER } from "./board-filter.js";
import { coalesce } from "../server/coalesce.js";
import { announce, warn } from "./notifications.js";
import { applyEvent, mergeSnapshot } from "./run-state.js";
import { Stream } from "../server/stream.js";

const PAGE = 50;
const NEXT_PAGE = 200;
const LARGEST_PAGE = 500;

export class BoardStore {
  /** Null until loaded. Each run is a signal of its own, so that a step redraws one row. */
  runs = signal(/** @type {Signal<Run>[] | null} */ (null));
  filter = signal(NO_FILTER);
  /** Runs that fit the filter, on all pages, and all runs there are. */
  matching = signal(0);
  known = signal(0);
  tags = signal(/** @type {TagCount[]} */ ([]));
  selected = signal(/** @type {ReadonlySet<string>} */ (new Set()));
  nextPage = signal(/** @type {string | null} */ (null));
  machine = signal(/** @type {Machine | null} */ (null));
  connection = signal(/** @type {Connection} */ ("connecting"));
  error = signal(/** @type {ApiError | null} */ (null));
  #work;
  /** The filter that what is shown was asked for with. */
  #shown = NO_FILTER;
  #cursor = 0;
  #stale = false;
  #more = false;
  /** @type {Stream | null} */
  #stream = null;
  #retry = 0;
  #pause = 0;
  #closed = false;

  constructor() {
    this.#work = coalesce(() => this.#load());
  }

  async open() {
    await this.refresh();
    if (this.#closed || this.#stream) return;
    const { error } = this;
    if (error.value) {
      if (error.value.passing) this.#retry = setTimeout(() => this.open(), RETRY_MS);
      return;
    }
    this.#stream = new Stream("/api/stream", this.#cursor, {
      onEvents: (events) => batch(() => this.#apply(events)),
      onConnection: (connection) => (this.connection.value = connection),
      onMachine: (machine) => (this.machine.value = machine),
    });
    // The first heartbeat is some seconds away. Should this fail, it brings the same.
    api.getSystem().then(
      ({ now }) => (this.machine.value ??= now),
      () => {},
    );
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#pause);
    this.#stream?.close();
  }

  /** @param {Filter} filter @param {number} wait milliseconds, so that not every letter asks the server */
  show(filter, wait) {
    this.filter.value = filter;
    this.selected.value = new Set();
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.refresh(), wait);
  }

  /** Ask anew for all that is shown. */
  refresh() {
    this.#stale = true;
    return this.#work();
  }

  loadMore() {
    this.#more = true;
    return this.#work();
  }

  /** @param {string} id @param {boolean} on */
  select(id, on) {
    const selected = new Set(this.selected.value);
    if (on) selected.add(id);
    else selected.delete(id);
    this.selected.value = selected;
  }

  /** @param {boolean} on all runs that are shown, or none */
  selectAll(on) {
    this.selected.value = new Set(on ? (this.runs.value ?? []).map((run) => run.peek().id) : []);
  }

  /** @param {Run} run as the server has just told it */
  take(run) {
    const entry = (this.runs.value ?? []).find((each) => each.peek().id === run.id);
    if (entry) entry.value = mergeSnapshot(entry.peek(), run);
  }

  async #load() {
    try {
      if (this.#stale) await this.#loadShown();
      else if (this.#more) await this.#loadNext();
      this.error.value = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
    }
  }

  async #loadShown() {
    this.#stale = this.#more = false;
    const filter = this.filter.peek();
    const fresh = filter !== this.#shown;
    const count = Math.max(PAGE, fresh ? 0 : (this.runs.peek()?.length ?? 0));
    const tags = await api.listTags();
    const first = await api.listRuns(filter, Math.min(count, LARGEST_PAGE), null);
    const items = [...first.items];
    let next = first.next_cursor;
    while (next && items.length < count) {
      const page = await api.listRuns(filter, Math.min(count - items.length, LARGEST_PAGE), next);
      items.push(...page.items);
      next = page.next_cursor;
    }
    if (filter !== this.filter.peek()) return; // it has changed meanwhile, and what fits it is on its way
    batch(() => {
      this.#shown = filter;
      this.#cursor = first.stream_cursor;
      this.tags.value = tags.items;
      this.matching.value = first.matching;
      this.known.value = first.known;
      this.nextPage.value = next;
      this.#merge(items);
    });
  }

  async #loadNext() {
    this.#more = false;
    const filter = this.#shown;
    const page = await api.listRuns(filter, NEXT_PAGE, this.nextPage.peek());
    if (filter !== this.filter.peek()) return;
    this.nextPage.value = page.next_cursor;
    this.#merge([...(this.runs.peek() ?? []).map((run) => run.peek()), ...page.items]);
  }

  /** @param {Run[]} runs */
  #merge(runs) {
    const known = new Map((this.runs.peek() ?? []).map((run) => [run.peek().id, run]));
    this.runs.value = runs.map((run) => {
      const entry = known.get(run.id) ?? signal(run);
      entry.value = mergeSnapshot(entry.peek(), run);
      return entry;
    });
    const shown = new Set(runs.map((run) => run.id));
    const selected = [...this.selected.peek()].filter((id) => shown.has(id));
    if (selected.length !== this.selected.peek().size) this.selected.value = new Set(selected);
  }

  /** @param {RunEvent[]} events */
  #apply(events) {
    const known = new Map((this.runs.peek() ?? []).map((run) => [run.peek().id, run]));
    for (const event of events) {
      const entry = known.get(event.run);
      if (!entry) continue;
      if (event.type === "finding") warn(entry.peek(), event);
      announce(entry.peek(), (entry.value = applyEvent(entry.peek(), event)));
    }
    // The server's facts (created, started, ended, described, deleted) are rare, and decide what fits the filter and where
    // it stands. A run that goes on from a checkpoint has lost its losses until the server tells them.
    const unknown = (/** @type {RunEvent} */ event) => event.type === "status" && event.resumed_step != null;
    if (events.some((event) => event.type === "server" || unknown(event))) this.refresh();
  }
}
