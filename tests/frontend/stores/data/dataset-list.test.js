import assert from "node:assert/strict";
import test from "node:test";
import { entriesOf, shareLeft, textOf, withOneMore } from "../../../../frontend/js/stores/data/dataset-list.js";

test("what was typed comes back", () => {
  for (const [text, shares] of [["a=0.2\nb=0.3", true], ["a\nb", false], ["a=b=0.1", true], ["", true]]) {
    assert.equal(textOf(entriesOf(text, shares), shares), text);
  }
  assert.deepEqual(entriesOf(" a=b=0.1 \n\n", true), [{ id: "a=b", share: "0.1" }]);
  assert.deepEqual(entriesOf("a=b", false), [{ id: "a=b", share: "" }]);
});

test("one more is one that is not there yet", () => {
  const one = withOneMore([], ["a", "b"], true);
  assert.deepEqual(one, [{ id: "a", share: "0.1" }]);
  const two = withOneMore(one, ["a", "b"], true);
  assert.equal(two[1].id, "b");
  assert.equal(withOneMore(two, ["a", "b"], true), two);
});

test("what the shares leave is told once they are shares", () => {
  const of = (...shares) => shareLeft(shares.map((share) => ({ id: "a", share })));
  assert.equal(of("0.25", "0.25"), 0.5);
  for (const wrong of [["1"], ["0.6", "0.4"], ["x"], [""], ["-0.2"], []]) assert.equal(of(...wrong), null);
});
