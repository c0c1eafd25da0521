"""How a file is read is tried out before it is saved, and a file that was judged wrongly can be put right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import Server

TASKS = [{"instruction": f"Add {n}", "input": f"to {n}" if n % 2 else "", "output": str(2 * n)} for n in range(60)]


@pytest.fixture(autouse=True)
def _nothing_left(shared_server: Server) -> Iterator[None]:
    """The server is shared with tests that count the datasets."""
    yield
    for dataset in shared_server.client.get("/api/datasets").json()["items"]:
        assert dataset["built_in"] or shared_server.client.delete(f"/api/datasets/{dataset['id']}").status_code == 204


def upload(server: Server, name: str, content: str) -> Any:
    answer = server.client.post("/api/datasets", files={"file": (name, content.encode())})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def parts(preview: Any) -> list[list[tuple[str, str, bool]]]:
    return [[(part["role"], part["text"], part["learned"]) for part in example] for example in preview["examples"]]


def test_a_template_is_previewed_before_it_is_saved(shared_server: Server) -> None:
    path = f"/api/datasets/{upload(shared_server, 'tasks.json', json.dumps(TASKS))['id']}"
    template = "Task: {instruction}\n\nGiven: {input}"
    reading = {"kind": "completion", "template": template, "completion": "output", "separator": " -> "}
    preview = shared_server.client.get(f"{path}/preview", params={"limit": 2, "reading": json.dumps(reading)}).json()
    assert parts(preview) == [
        [("prompt", "Task: Add 0", False), ("completion", " -> 0", True)],  # nothing to be given: the paragraph is left out
        [("prompt", "Task: Add 1\n\nGiven: to 1", False), ("completion", " -> 2", True)],
    ]
    chat = {"kind": "chat", "messages": None, "prompt": "instruction", "completion": "output"}
    preview = shared_server.client.get(f"{path}/preview", params={"limit": 1, "reading": json.dumps(chat)}).json()
    assert parts(preview) == [[("user", "Add 0", False), ("assistant", "0", True)]]
    kept = shared_server.client.get(path).json()["reading"]
    assert kept["template"] == "{instruction}\n\n{input}"

    changed = shared_server.client.patch(path, json={"reading": reading})
    assert (changed.status_code, changed.json()["reading"]["separator"]) == (200, " -> ")


@pytest.mark.parametrize("wrong", [{"template": "{instruktion}"}, {"template": "{instruction}", "label": "good"}])
def test_a_column_that_is_not_there_is_named_and_never_taken_for_empty(shared_server: Server, wrong: dict[str, str]) -> None:
    path = f"/api/datasets/{upload(shared_server, 'tasks.json', json.dumps(TASKS))['id']}"
    reading = {"kind": "completion", "completion": "output", **wrong}
    for answer in (
        shared_server.client.get(f"{path}/preview", params={"reading": json.dumps(reading)}),
        shared_server.client.patch(path, json={"reading": reading}),
    ):
        assert answer.status_code == 422, answer.text
        assert "no column" in answer.json()["error"]["message"]
        assert "instruction, input, output" in answer.json()["error"]["hint"]
    for wrong_json in ("{", '{"kind": "poem"}', "[]", '{"kind": "text", "seperator": " "}'):
        answer = shared_server.client.get(f"{path}/preview", params={"reading": wrong_json})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "reading"), answer.text
    assert "knows nothing called 'seperator'" in answer.json()["error"]["message"]


def test_a_column_that_only_later_rows_have_is_known_and_told(shared_server: Server) -> None:
    rows = [{"prompt": f"p {n}", "completion": f"c {n}"} for n in range(200)]
    rows[150]["system"] = "Be brief."  # type: ignore[index]
    dataset = upload(shared_server, "late.jsonl", "\n".join(map(json.dumps, rows)))
    assert dataset["columns"] == ["prompt", "completion", "system"]
    assert dataset["notes"] == ["Not used: “system”."]


def test_a_first_row_is_seen_in_both_ways_and_read_in_the_other(shared_server: Server) -> None:
    dataset = upload(shared_server, "pairs.csv", "cat,miaow\ndog,woof\ncow,moo\n")
    path = f"/api/datasets/{dataset['id']}"
    assert (dataset["header"], dataset["columns"], dataset["rows"]) == (True, ["cat", "miaow"], 2)
    assert dataset["notes"][0] == "The first row is taken for the names of the columns: “cat”, “miaow”."

    other = shared_server.client.get(f"{path}/preview", params={"header": False, "limit": 1}).json()
    assert (other["columns"], other["records"]) == (["column 1", "column 2"], [["cat", "miaow"]])
    assert parts(other) == [[("prompt", "cat", False), ("completion", " miaow", True)]]
    changed = shared_server.client.patch(path, json={"header": False}).json()
    assert (changed["header"], changed["columns"], changed["rows"]) == (False, ["column 1", "column 2"], 3)
    assert changed["notes"][0] == "The first row is read as an example, and not as the names of the columns."
    assert shared_server.client.patch(path, json={"header": True}).json()["columns"] == ["cat", "miaow"]


def test_the_same_bytes_under_another_ending_are_read_as_that_ending_says(shared_server: Server) -> None:
    lines = "".join(json.dumps({"text": f"example {n}"}) + "\n" for n in range(10))
    as_text, as_json = (upload(shared_server, f"lines.{ending}", lines) for ending in ("txt", "jsonl"))
    assert as_text["id"] != as_json["id"]
    assert (as_text["format"], as_text["columns"]) == ("txt", [])
    assert (as_json["format"], as_json["columns"]) == ("jsonl", ["text"])
    tabs = "prompt\tcompletion\n" + "".join(f"p {n}\tc {n}\n" for n in range(10))
    as_text, as_table = (upload(shared_server, f"tabs.{ending}", tabs) for ending in ("txt", "tsv"))
    assert as_table["columns"] == ["prompt", "completion"]
    assert upload(shared_server, "again.tsv", tabs)["id"] == as_table["id"] != as_text["id"]
