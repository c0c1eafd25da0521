import assert from "node:assert/strict";
import test from "node:test";
import * as format from "../../frontend/js/format.js";

/** @param {(value: any) => string} show @param {[any, string][]} table */
function check(show, table) {
  for (const [value, text] of table) assert.equal(show(value), text, String(value));
}

test("what is not known is a dash", () => {
  for (const show of [format.loss, format.number, format.count, format.short, format.bytes, format.duration]) {
    check(show, [[null, "–"], [undefined, "–"], [NaN, "–"], [Infinity, "–"]]);
  }
});

test("losses keep four digits", () => {
  check(format.loss, [[6.93147, "6.931"], [12.3456, "12.35"], [123.456, "123.5"], [0, "0.000"]]);
});

test("small numbers are short at every size", () => {
  check(format.number, [[0.003, "0.003"], [0.01, "0.01"], [5e-5, "5e-5"], [1.234e-5, "1.23e-5"], [1.2e-10, "1.2e-10"], [0, "0"]]);
});

test("counts have separators", () => {
  check(format.count, [[0, "0"], [1234567.4, "1,234,567"]]);
});

test("large numbers move to the next unit before they show 1000", () => {
  check(format.short, [[999, "999"], [999.7, "1K"], [1234, "1.23K"], [1_056_000, "1.06M"], [124e6, "124M"]]);
  check(format.bytes, [[0, "0 B"], [999, "999 B"], [1500, "1.5 kB"], [98_000_000, "98 MB"], [1.25e9, "1.25 GB"]]);
});

test("durations show two units", () => {
  check(format.duration, [
    [0, "0 s"], [59.4, "59 s"], [59.6, "1 min"], [200, "3 min 20 s"], [3600, "1 h"], [7500, "2 h 5 min"], [273600, "3 d 4 h"],
  ]);
});

test("time left", () => {
  check(format.remaining, [[null, ""], [0.4, "almost done"], [42, "about 42 s left"]]);
});

test("elapsed time ends with the run, and never runs backwards", () => {
  const now = new Date("2025-01-01T00:01:00Z");
  assert.equal(format.elapsed(null, null, now), null);
  assert.equal(format.elapsed("2025-01-01T00:00:00.500Z", null, now), 59.5);
  assert.equal(format.elapsed("2025-01-01T00:00:00Z", "2025-01-01T00:00:10Z", now), 10);
  assert.equal(format.elapsed("2025-01-01T00:02:00Z", null, now), 0);
});

test("a moment of another day carries its date", () => {
  const now = new Date(2025, 2, 3, 12, 0);
  assert.doesNotMatch(format.moment(new Date(2025, 2, 3, 9, 5).toISOString(), now), /,/);
  assert.match(format.moment(new Date(2025, 2, 2, 9, 5).toISOString(), now), /2.*,/);
});
