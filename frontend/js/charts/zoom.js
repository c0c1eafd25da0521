/**
 * The range of steps that the charts show in detail: fetched, then kept current like the whole run's series.
 *
 * @import { RunEvent } from "../types.js"
 * @import { Range } from "./view-link.js"
 * @import { Series } from "./series.js"
 */
import { signal } from "@preact/signals";
import * as api from "../server/api.js";
import { ApiError } from "../server/requests.js";
import { Latest } from "../server/latest.js";
import { SERIES_KEYS, appendEvents, fromSnapshot } from "./series.js";

/** Zooming by keys or by a wheel comes in bursts; only where it ends is asked for. */
const PAUSE_MS = 120;

export class Zoom {
  /** What the range holds; null while there is none, or while it is on its way. */
  detail = signal(/** @type {Series | null} */ (null));
  error = signal(/** @type {ApiError | null} */ (null));
  #id;
  #latest = new Latest();
  #last = Infinity;
  /** Events that came while the detail was on its way: it may have been read before them. @type {RunEvent[]} */
  #meanwhile = [];
  #fetching = false;
  #asked = 0;

  /** @param {string} id of the run */
  constructor(id) {
    this.#id = id;
  }

  /** @param {Range | null} range @param {number} px points wanted */
  show(range, px) {
    const burst = Date.now() - this.#asked < PAUSE_MS;
    this.#asked = Date.now();
    this.#latest.cancel();
    this.#meanwhile = [];
    this.detail.value = null;
    this.error.value = null;
    this.#fetching = range !== null;
    if (!range) return;
    this.#last = range.to;
    this.#latest.ask(
      burst ? PAUSE_MS : 0,
      (aborted) => api.getSeries(this.#id, SERIES_KEYS, px, range, aborted),
      (snapshot) => {
        this.detail.value = appendEvents(fromSnapshot(snapshot), this.#meanwhile, this.#last);
        this.#meanwhile = [];
        this.#fetching = false;
      },
      (reason) => {
        this.#fetching = false;
        if (!(reason instanceof ApiError)) throw reason;
        this.error.value = reason;
      },
    );
  }

  /** @param {RunEvent[]} events */
  append(events) {
    if (this.detail.value) this.detail.value = appendEvents(this.detail.value, events, this.#last);
    else if (this.#fetching) this.#meanwhile.push(...events);
  }

  close() {
    this.#latest.cancel();
  }
}
