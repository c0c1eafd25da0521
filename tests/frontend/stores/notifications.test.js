import assert from "node:assert/strict";
import test from "node:test";
import { announce, areAvailable, turnOff, turnOn, warn, wordsFor } from "../../../frontend/js/stores/notifications.js";

const RUN = /** @type {any} */ ({ id: "r", name: "fox", status: "completed", reason: null, loss: 2.5, validation_loss: 1.2345 });

test("an end is told with the run's name and its last validation loss", () => {
  assert.deepEqual(wordsFor(RUN), { title: "fox completed — validation loss 1.234", body: "" });
  const failed = { ...RUN, status: "failed", reason: "No memory was left.", validation_loss: null };
  assert.deepEqual(wordsFor(failed), { title: "fox failed — training loss 2.500", body: "No memory was left." });
  assert.equal(wordsFor({ ...RUN, status: "stopped", loss: null, validation_loss: null }).title, "fox was stopped");
});

test("without notifications in the browser nothing is told and nothing breaks", () => {
  assert.equal(areAvailable(), false);
  announce({ ...RUN, status: "running" }, RUN);
});

test("only the step from going on to ended is told, and only while they are on", async () => {
  /** @type {string[]} */
  const shown = [];
  const store = new Map();
  Object.assign(globalThis, {
    isSecureContext: true,
    localStorage: {
      getItem: (/** @type {string} */ key) => store.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => store.set(key, value),
      removeItem: (/** @type {string} */ key) => store.delete(key),
    },
    Notification: class {
      static permission = "default";
      static async requestPermission() {
        return (this.permission = "granted");
      }
      constructor(/** @type {string} */ title) {
        shown.push(title);
      }
    },
  });
  const running = { ...RUN, status: "running" };
  announce(running, RUN);
  assert.deepEqual(shown, [], "nobody has asked for them");
  assert.equal(await turnOn(), true);
  announce(running, running);
  announce(RUN, RUN);
  announce(running, RUN);
  assert.deepEqual(shown, ["fox completed — validation loss 1.234"]);
  const known = { ...running, stream_cursor: 10, findings: [{ rule: "flat", level: "warning", title: "Flat" }] };
  const finding = /** @type {any} */ ({ rule: "spike", level: "warning", title: "Spike", text: "It jumped.", holds: true, cursor: 11 });
  warn(known, { ...finding, cursor: 10 });
  warn(known, { ...finding, rule: "flat" });
  warn(known, { ...finding, level: "good" });
  assert.equal(shown.length, 1, "of what is old, known or well nothing is said");
  warn(known, finding);
  assert.equal(shown[1], "fox: Spike");
  turnOff();
  announce(running, RUN);
  warn(known, finding);
  assert.equal(shown.length, 2);
});
