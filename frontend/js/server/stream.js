/**
 * One server-sent event stream, handed on once per animation frame.
 *
 * @import { Machine, RunEvent } from "../types.js"
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "ended"} Connection
 *
 * @typedef {object} StreamHandlers
 * @property {(events: RunEvent[]) => void} onEvents new events in order, each exactly once
 * @property {(connection: Connection) => void} onConnection
 * @property {(machine: Machine) => void} [onMachine] every few seconds, what the server's machine is doing
 * @property {() => void} [onEnd] the server has said that no more will come
 */

const TYPES = ["status", "step", "evaluation", "sample", "checkpoint", "system", "message", "finding", "server"];
const REOPEN_AFTER_MS = 2000;
/** Hidden pages get no animation frames; without this limit their events would pile up. */
const LONGEST_WAIT_MS = 500;

export class Stream {
  #path;
  #cursor;
  #handlers;
  /** @type {EventSource | null} */
  #source = null;
  /** @type {RunEvent[]} */
  #waiting = [];
  #frame = 0;
  #timer = 0;
  #reopening = 0;

  /**
   * @param {string} path the stream's address
   * @param {number} cursor of the snapshot that the page already shows
   * @param {StreamHandlers} handlers
   */
  constructor(path, cursor, handlers) {
    this.#path = path;
    this.#cursor = cursor;
    this.#handlers = handlers;
    handlers.onConnection("connecting");
    this.#open();
  }

  close() {
    this.#source?.close();
    clearTimeout(this.#reopening);
    this.#unschedule();
  }

  #open() {
    const source = new EventSource(`${this.#path}${this.#path.includes("?") ? "&" : "?"}after=${this.#cursor}`);
    this.#source = source;
    source.onopen = () => this.#handlers.onConnection("live");
    source.onerror = () => this.#onError(source);
    for (const type of TYPES) source.addEventListener(type, (message) => this.#receive(JSON.parse(message.data)));
    source.addEventListener("machine", (message) => this.#handlers.onMachine?.(JSON.parse(message.data)));
    source.addEventListener("end", () => this.#end());
  }

  /** @param {EventSource} source */
  #onError(source) {
    this.#handlers.onConnection("reconnecting");
    // The browser reconnects by itself, with Last-Event-ID, unless the server answered with an error.
    if (source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => this.#open(), REOPEN_AFTER_MS);
  }

  /** @param {RunEvent} event */
  #receive(event) {
    if (event.cursor <= this.#cursor) return;
    this.#cursor = event.cursor;
    this.#waiting.push(event);
    if (this.#waiting.length > 1) return;
    this.#frame = requestAnimationFrame(() => this.#flush());
    this.#timer = setTimeout(() => this.#flush(), LONGEST_WAIT_MS);
  }

  #unschedule() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
  }

  #flush() {
    this.#unschedule();
    const events = this.#waiting;
    this.#waiting = [];
    if (events.length) this.#handlers.onEvents(events);
  }

  #end() {
    this.close();
    this.#flush();
    this.#handlers.onConnection("ended");
    this.#handlers.onEnd?.();
  }
}
