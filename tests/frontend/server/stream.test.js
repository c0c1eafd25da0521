import assert from "node:assert/strict";
import test from "node:test";
import { Stream } from "../../../frontend/js/server/stream.js";

/** The browser's EventSource and frames, which node has not: messages and frames come when a test says so. */
class Source extends EventTarget {
  static CLOSED = 2;
  static made = /** @type {Source[]} */ ([]);
  readyState = 1;
  onopen = () => {};
  onerror = () => {};

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    Source.made.push(this);
  }

  close() {
    this.readyState = Source.CLOSED;
  }

  /** @param {string} type @param {unknown} [data] */
  say(type, data) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data ?? null) }));
  }
}

/** @type {(() => void)[]} */
let frames = [];
Object.assign(globalThis, {
  EventSource: Source,
  requestAnimationFrame: (/** @type {() => void} */ frame) => frames.push(frame),
  cancelAnimationFrame: () => (frames = []),
});

function open(cursor = 10) {
  Source.made = [];
  frames = [];
  const got = { events: /** @type {number[][]} */ ([]), connection: /** @type {string[]} */ ([]), machine: [], ends: 0 };
  const stream = new Stream("/api/runs/r/stream", cursor, {
    onEvents: (events) => got.events.push(events.map((event) => event.cursor)),
    onConnection: (connection) => got.connection.push(connection),
    onMachine: (machine) => got.machine.push(/** @type {never} */ (machine)),
    onEnd: () => (got.ends += 1),
  });
  return { stream, got, source: Source.made[0] };
}

test("events of one frame come together, in order and once each", () => {
  const { stream, got, source } = open();
  assert.equal(source.url, "/api/runs/r/stream?after=10");
  source.onopen();
  for (const cursor of [9, 10, 11, 12, 12, 11]) source.say("step", { cursor });
  assert.deepEqual(got.events, [], "before the frame nothing is drawn");
  frames[0]();
  source.say("message", { cursor: 14 });
  frames[0]();
  assert.deepEqual(got.events, [[11, 12], [14]]);
  assert.deepEqual(got.connection, ["connecting", "live"]);
  stream.close();
});

test("what waits for a frame is handed on when the stream ends, before its end is told", () => {
  const { got, source } = open();
  source.say("step", { cursor: 11 });
  source.say("sample", { cursor: 12 });
  source.say("end");
  assert.deepEqual([got.events, got.connection.at(-1), got.ends], [[[11, 12]], "ended", 1]);
  assert.equal(source.readyState, Source.CLOSED);
});

test("a page that is closed hears nothing more, and a heartbeat is no event", () => {
  const { stream, got, source } = open();
  source.say("machine", { cpu_percent: 5 });
  source.say("step", { cursor: 11 });
  stream.close();
  assert.deepEqual([got.events, got.machine], [[], [{ cpu_percent: 5 }]]);
  assert.deepEqual(frames, []);
});

test("a stream that the server refused is opened again from where it was", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream, got, source } = open();
  source.say("step", { cursor: 15 });
  frames[0]();
  source.onerror();
  assert.equal(Source.made.length, 1, "the browser itself reconnects");
  source.readyState = Source.CLOSED;
  source.onerror();
  context.mock.timers.tick(2000);
  assert.equal(Source.made.length, 2);
  assert.equal(Source.made[1].url, "/api/runs/r/stream?after=15");
  assert.equal(got.connection.at(-1), "reconnecting");
  stream.close();
});
