/**
 * Server-sent events from a fetch response, for requests that EventSource cannot make (it only knows GET).
 *
 * @typedef {{ type: string, data: string, id: string }} ServerSentEvent
 */

/** Turns text, cut at any place, into events. One parser per stream. */
export class SseParser {
  #rest = "";
  #type = "";
  #id = "";
  /** @type {string[]} */
  #data = [];
  #started = false;

  /**
   * @param {string} text the next piece of the stream
   * @returns {ServerSentEvent[]} the events that this piece completes
   */
  feed(text) {
    if (!this.#started && text) {
      this.#started = true;
      text = text.replace(/^\uFEFF/, "");
    }
    this.#rest += text;
    const events = [];
    for (let line = this.#nextLine(); line !== null; line = this.#nextLine()) {
      if (line === "") {
        if (this.#data.length) events.push({ type: this.#type || "message", data: this.#data.join("\n"), id: this.#id });
        this.#type = "";
        this.#data = [];
      } else {
        this.#field(line);
      }
    }
    return events;
  }

  #nextLine() {
    const end = this.#rest.search(/[\r\n]/);
    // A CR at the very end may be half of a CRLF, so it waits for what follows.
    if (end < 0 || (this.#rest[end] === "\r" && end === this.#rest.length - 1)) return null;
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + (this.#rest.startsWith("\r\n", end) ? 2 : 1));
    return line;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value;
  }
}

/**
 * The events of a streamed response, as they arrive.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<ServerSentEvent>}
 */
export async function* readEvents(response) {
  const parser = new SseParser();
  const decoder = new TextDecoder();
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Also reached when the consumer leaves its loop early: the connection must not stay open then.
    await reader.cancel();
  }
}
