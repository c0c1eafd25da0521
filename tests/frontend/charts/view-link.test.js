import assert from "node:assert/strict";
import test from "node:test";
import { parseView, rangeOf, viewQuery, zoomed } from "../../../frontend/js/charts/view-link.js";

const parse = (/** @type {string} */ query, /** @type {string | null} */ remembered = null) => parseView(new URLSearchParams(query), remembered);

test("a link restores what it was made from", () => {
  for (const range of [null, { from: 100, to: 200 }]) {
    const choices = /** @type {const} */ ({ x: "tokens", log: true, smooth: 0.35 });
    assert.deepEqual(parse(viewQuery(choices, range)), { choices, range });
  }
});

test("the link wins over what is remembered, and that over the usual", () => {
  const remembered = JSON.stringify({ x: "epoch", log: true, smooth: 0.9 });
  assert.deepEqual(parse("x=time&log=0", remembered).choices, { x: "time", log: false, smooth: 0.9 });
  assert.deepEqual(parse("", remembered).choices, { x: "epoch", log: true, smooth: 0.9 });
  assert.deepEqual(parse("").choices, { x: "step", log: false, smooth: 0.6 });
});

test("what makes no sense is passed over", () => {
  const usual = parse("");
  for (const query of ["x=miles&smooth=2&from=5", "smooth=-1&from=9&to=9", "from=a&to=7", "smooth=1e9&from=1&to=1e99", "smooth=&x="]) {
    assert.deepEqual(parse(query), usual, query);
  }
  for (const text of ["", "null", "[1]", "{", '{"x": 3, "log": "yes", "smooth": null}']) assert.deepEqual(parse("", text), usual, text);
});

test("a range is whole steps around what was drawn, from either side", () => {
  assert.deepEqual(rangeOf(10.6, 19.2), { from: 10, to: 20 });
  assert.deepEqual(rangeOf(19.2, -3), { from: 0, to: 20 });
  assert.equal(rangeOf(5, 5), null);
});

test("zooming keeps the place under the cursor, stops at two steps, and out again is the whole", () => {
  assert.deepEqual(zoomed({ from: 0, to: 100 }, 50, 0.5, 100), { from: 25, to: 75 });
  assert.deepEqual(zoomed({ from: 40, to: 42 }, 41, 0.5, 100), { from: 40, to: 42 });
  assert.equal(zoomed({ from: 25, to: 75 }, 50, 2, 100), null);
  assert.deepEqual(zoomed({ from: 80, to: 100 }, 100, 2, 100), { from: 60, to: 100 });
});
