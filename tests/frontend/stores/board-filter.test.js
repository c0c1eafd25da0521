import assert from "node:assert/strict";
import test from "node:test";
import { boardLink, filterOf, narrows, NO_FILTER } from "../../../frontend/js/stores/board-filter.js";
import { settingsLink, settingsOf } from "../../../frontend/js/stores/compare-settings.js";
import { METRICS } from "../../../frontend/js/charts/overlay-lines.js";
import { compareLink, parseRoute } from "../../../frontend/js/router.js";

test("a filter survives in its link", () => {
  const filter = { q: "a&b #1 é", status: "completed", tag: "for the paper", sort: "validation_loss", archived: true };
  assert.deepEqual(filterOf(parseRoute(boardLink(filter)).query), filter);
  assert.equal(boardLink(NO_FILTER), "#/");
  assert.deepEqual(filterOf(new URLSearchParams()), NO_FILTER);
});

test("what a link typed by hand asks for in vain is left out", () => {
  assert.deepEqual(filterOf(new URLSearchParams("status=gone&sort=size&archived=yes")), NO_FILTER);
  assert.equal(filterOf(new URLSearchParams(`q=${"x".repeat(300)}`)).q.length, 200);
});

test("an order leaves no run out", () => {
  assert.equal(narrows({ ...NO_FILTER, sort: "name" }), false);
  assert.equal(narrows({ ...NO_FILTER, archived: true }), true);
});

test("a comparison survives in its link", () => {
  const settings = { runs: ["a", "b"], metric: METRICS[1], axis: /** @type {const} */ ("time"), smooth: true, log: false, bands: true };
  assert.deepEqual(settingsOf(parseRoute(settingsLink(settings)).query), settings);
  assert.deepEqual(settingsOf(parseRoute(compareLink(["a", "b"])).query).runs, ["a", "b"]);
  assert.equal(parseRoute(compareLink(["a", "b"])).page, "compare");
  assert.equal(settingsOf(new URLSearchParams("metric=gone&x=y")).metric, METRICS[0]);
});
