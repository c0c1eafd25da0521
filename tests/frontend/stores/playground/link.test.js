import assert from "node:assert/strict";
import test from "node:test";
import { parseRoute, playgroundLink } from "../../../../frontend/js/router.js";
import { sessionLink, sessionOf } from "../../../../frontend/js/stores/playground/link.js";
import { INITIAL } from "../../../../frontend/js/stores/playground/settings.js";

const EMPTY = { models: [], form: null, system: "", draft: "", said: [], settings: INITIAL };
const read = (/** @type {string | null} */ link) => sessionOf(parseRoute(link ?? "").query);

test("a link holds models, conversation and settings", () => {
  const session = {
    models: ["run:20260101-000000-abcd@step-000010", "a/b"],
    form: /** @type {const} */ ("chat"),
    system: "Be kind & short\n?",
    draft: "What is 1+1? #é😀",
    said: [{ user: "Hi", answers: [{ model: "run:20260101-000000-abcd@step-000010", text: "Ho\u2028" }] }],
    settings: { ...INITIAL, temperature: "0", stop: "\\n" },
  };
  assert.deepEqual(read(sessionLink(session)), session);
});

test("what is as usual takes no room", () => {
  assert.equal(sessionLink({ ...EMPTY, models: ["m"] }), "#/playground?model=m");
  assert.deepEqual(read("#/playground"), EMPTY);
});

test("of a plain prompt the answers are not in the link", () => {
  const link = sessionLink({ ...EMPTY, form: "prompt", draft: "Once", said: [{ user: "Once", answers: [{ model: "m", text: "upon" }] }] });
  assert.equal(link, "#/playground?form=prompt&prompt=Once");
});

test("a link that is too long is none", () => {
  assert.equal(sessionLink({ ...EMPTY, draft: "x".repeat(9000) }), null);
  assert.equal(sessionLink({ ...EMPTY, draft: "é".repeat(2000) }), null, "each takes six characters");
});

test("what makes no sense is passed over", () => {
  const session = read("#/playground?model=a&model=a&model=b&model=c&model=d&model=e&form=song&said=[[1]]&mood=good");
  assert.deepEqual([session.models, session.form, session.said], [["a", "b", "c", "d"], null, []]);
  assert.deepEqual(read("#/playground?said=%5B%5B").said, []);
});

test("the links of other pages are read", () => {
  assert.deepEqual(read(playgroundLink("run:x@step-1", "gpt2")).models, ["run:x@step-1", "gpt2"]);
});
