import assert from "node:assert/strict";
import test from "node:test";
import { datasetLink, learnLink, lessonLink, microscopeLink, parseRoute, playgroundLink, runLink, sameRunLink, trainOnLink } from "../../frontend/js/router.js";

test("addresses name pages", () => {
  const page = (/** @type {string} */ hash) => parseRoute(hash).page;
  assert.equal(page(""), "board");
  assert.equal(page("#/"), "board");
  assert.equal(page("#/new"), "new");
  assert.equal(page("#/datasets"), "datasets");
  assert.equal(page("#/datasets/sample"), "dataset");
  assert.equal(page("#/runs"), "unknown");
  assert.equal(page("#/runs/a/b"), "unknown");
  assert.equal(page("#/nowhere"), "unknown");
});

test("links lead back to what they name", () => {
  assert.deepEqual(parseRoute(runLink("20250101-000000-ab12")).id, "20250101-000000-ab12");
  const looked = parseRoute(`${microscopeLink("20250101-000000-ab12")}?row=3`);
  assert.deepEqual([looked.page, looked.id, looked.query.get("row")], ["microscope", "20250101-000000-ab12", "3"]);
  assert.equal(parseRoute(playgroundLink("run:x@step-000010")).query.get("model"), "run:x@step-000010");
  assert.equal(parseRoute(datasetLink("my data")).id, "my data");
  assert.equal(parseRoute(sameRunLink("a b")).query.get("from"), "a b");
  assert.equal(parseRoute(trainOnLink("a&b")).query.get("dataset"), "a&b");
  assert.equal(parseRoute(trainOnLink("a", true)).query.get("split_by_group"), "true");
  assert.equal(parseRoute(trainOnLink("a")).query.has("split_by_group"), false);
  assert.equal(parseRoute("#/runs/100%").id, "100%");
});

test("a page of Learn and a lesson have addresses of their own", () => {
  assert.equal(parseRoute("#/learn").page, "learn");
  assert.deepEqual([parseRoute(learnLink("loss")).page, parseRoute(learnLink("loss")).id], ["learn", "loss"]);
  assert.deepEqual([parseRoute(lessonLink("no_warmup")).page, parseRoute(lessonLink("no_warmup")).id], ["lesson", "no_warmup"]);
  assert.equal(parseRoute("#/learn/loss/more").page, "unknown");
});
