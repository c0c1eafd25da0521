/**
 * Runs side by side: what the server says of them, and their curves, kept current by one stream for those that go on.
 *
 * @import { Comparison, RunEvent } from "../types.js"
 * @import { Connection } from "../server/stream.js"
 * @import { Axis, Line, Metric } from "../charts/overlay-lines.js"
 */
import { signal } from "@preact/signals";
import * as api from "../server/api.js";
import { ApiError, RETRY_MS } from "../server/requests.js";
import { coalesce } from "../server/coalesce.js";
import { append, keysFor, lineOf } from "../charts/overlay-lines.js";
import { hasEnded } from "./run-state.js";
import { Stream } from "../server/stream.js";

/** The tables and sentences follow evaluations, but not each of many. */
const COMPARED_EVERY_MS = 2000;

export class CompareStore {
  comparison = signal(/** @type {Comparison | null} */ (null));
  /** Run → its line. A new Map whenever all were fetched anew; lines that grow are changed in place, see `grown`. */
  lines = signal(/** @type {ReadonlyMap<string, Line>} */ (new Map()));
  /** Counts up with each frame in which a line grew. */
  grown = signal(0);
  connection = signal(/** @type {Connection} */ ("connecting"));
  error = signal(/** @type {ApiError | null} */ (null));
  #ids;
  #metric;
  #axis;
  #compare;
  /** @type {RunEvent[] | null} */
  #arriving = null;
  /** @type {Stream | null} */
  #stream = null;
  #retry = 0;
  #waiting = 0;
  #closed = false;

  /** @param {string[]} ids @param {Metric} metric @param {Axis} axis */
  constructor(ids, metric, axis) {
    this.#ids = ids;
    this.#metric = metric;
    this.#axis = axis;
    this.#compare = coalesce(() => this.#guarded(async () => {
      this.comparison.value = await api.compareRuns(ids);
    }));
  }

  async open() {
    await this.#compare();
    if (!this.error.value) await this.#loadLines();
    if (this.#closed) return;
    if (this.error.value) {
      if (this.error.value.passing) this.#retry = setTimeout(() => this.open(), RETRY_MS);
      return;
    }
    this.#follow();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#waiting);
    this.#stream?.close();
  }

  /** @param {Metric} metric @param {Axis} axis */
  async show(metric, axis) {
    if (metric === this.#metric && axis === this.#axis) return;
    this.#metric = metric;
    this.#axis = axis;
    await this.#loadLines();
  }

  /** Events that come while the answer is on its way may not be in it, so they are kept and added; no line takes one twice. */
  async #loadLines() {
    const [metric, axis] = [this.#metric, this.#axis];
    this.#arriving ??= [];
    await this.#guarded(async () => {
      const series = await api.getSeriesOf(this.#ids, keysFor(metric, axis));
      if (metric !== this.#metric || axis !== this.#axis) return; // another choice was made meanwhile
      const lines = new Map(series.map((one) => [one.run, lineOf(one, metric, axis)]));
      for (const event of this.#arriving ?? []) this.#grow(lines, event);
      this.#arriving = null;
      this.lines.value = lines;
    });
  }

  #follow() {
    const comparison = /** @type {Comparison} */ (this.comparison.value);
    const going = comparison.runs.filter((run) => !hasEnded(run.status)).map((run) => run.id);
    if (!going.length) {
      this.connection.value = "ended";
      return;
    }
    this.#stream = new Stream(`/api/stream?runs=${going.join(",")}`, comparison.stream_cursor, {
      onEvents: (events) => this.#apply(events),
      onConnection: (connection) => (this.connection.value = connection),
    });
  }

  /** @param {RunEvent[]} events */
  #apply(events) {
    const lines = this.lines.peek();
    let grew = false;
    for (const event of events) grew = this.#grow(lines, event) || grew;
    this.#arriving?.push(...events);
    if (grew) this.grown.value += 1;
    if (events.some((event) => event.type === "server" || event.type === "evaluation")) this.#compareSoon();
  }

  /** @param {ReadonlyMap<string, Line>} lines @param {RunEvent} event */
  #grow(lines, event) {
    const line = lines.get(event.run);
    return line !== undefined && append(line, event, this.#metric, this.#axis);
  }

  #compareSoon() {
    if (this.#waiting) return;
    this.#waiting = setTimeout(() => {
      this.#waiting = 0;
      this.#compare();
    }, COMPARED_EVERY_MS);
  }

  /** @param {() => Promise<void>} work */
  async #guarded(work) {
    try {
      await work();
      this.error.value = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
    }
  }
}
