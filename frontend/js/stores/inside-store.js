/**
 * What happened inside a run, asked of the server again when there is more to know.
 *
 * @import { Layers, OddRows, RunEvent, TimeSpent } from "../types.js"
 */
import { batch, signal } from "@preact/signals";
import * as api from "../server/api.js";
import { ApiError } from "../server/requests.js";
import { coalesce } from "../server/coalesce.js";

const COLUMNS = 200;
const PAUSE_MS = 2000;
const TELLING = new Set(["timing", "rows", "layers"]);

export class InsideStore {
  layers = signal(/** @type {Layers | null} */ (null));
  timing = signal(/** @type {TimeSpent | null} */ (null));
  rows = signal(/** @type {OddRows[]} */ ([]));
  #id;
  #refresh;
  #timer = 0;
  #closed = false;

  /** @param {string} id */
  constructor(id) {
    this.#id = id;
    this.#refresh = coalesce(() => this.#ask());
  }

  open = () => this.#refresh();

  /** @param {RunEvent[]} events that have just come */
  note(events) {
    if (this.#timer || this.#closed || !this.layers.value) return; // nobody looks, or it will be asked anyway
    if (!events.some(({ type }) => TELLING.has(type))) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#refresh();
    }, PAUSE_MS);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #ask() {
    try {
      const [layers, timing, rows] = await Promise.all([
        api.getLayers(this.#id, COLUMNS),
        api.getTiming(this.#id),
        api.getOddRows(this.#id),
      ]);
      batch(() => {
        this.layers.value = layers;
        this.timing.value = timing;
        this.rows.value = rows.items;
      });
    } catch (error) {
      // What is shown stays; that the server does not answer, the page's head says.
      if (!(error instanceof ApiError)) throw error;
    }
  }
}
