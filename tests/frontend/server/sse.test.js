import assert from "node:assert/strict";
import test from "node:test";
import { SseParser, readEvents } from "../../../frontend/js/server/sse.js";

const STREAM =
  '\uFEFF: hello\r\nid: 7\r\nevent: token\r\ndata: {"text": "é\u{1F600}"}\r\n\r\n' +
  "data: one\ndata:two\n\n: heartbeat\n\nevent: done\rdata\r\r" +
  "event: lost\ndata: never finished";

const EXPECTED = [
  { type: "token", data: '{"text": "é\u{1F600}"}', id: "7" },
  { type: "message", data: "one\ntwo", id: "7" },
  { type: "done", data: "", id: "7" },
];

test("a stream gives the same events wherever it is cut", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new SseParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.feed(STREAM.slice(at, at + size)));
    assert.deepEqual(events, EXPECTED, `pieces of ${size}`);
  }
});

test("a response cut inside a character is put together again", async () => {
  const bytes = new TextEncoder().encode(STREAM);
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEvents(new Response(body))) events.push(event);
  assert.deepEqual(events, EXPECTED);
});

test("leaving early closes the connection", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: x\n\n")),
    cancel: () => (cancelled = true),
  });
  for await (const event of readEvents(new Response(body))) {
    assert.equal(event.data, "x");
    break;
  }
  assert.ok(cancelled);
});
