"""JSON in the shapes that programs write: each is read, whatever the file is called, or refused where it breaks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from worker.contract import DatasetSource
from worker.data.formats import Chat, Message, read_rows
from worker.datasets.validation import check
from worker.errors import DataError

RECORDS = [{"text": "a b"}, {"text": "c d"}]
TALKS = [[{"role": "user", "content": "a"}], [{"role": "user", "content": "b"}]]
CHATS = [Chat((Message("user", "a"),)), Chat((Message("user", "b"),))]

SHAPES: dict[str, tuple[str, Any]] = {
    "a list": (json.dumps(RECORDS), ["a b", "c d"]),
    "a list, indented": (json.dumps(RECORDS, indent=2), ["a b", "c d"]),
    "objects on lines": ("\n".join(map(json.dumps, RECORDS)), ["a b", "c d"]),
    "objects on lines with commas": (",\n".join(map(json.dumps, RECORDS)) + ",\n", ["a b", "c d"]),
    "objects, indented": ("\n".join(json.dumps(record, indent=2) for record in RECORDS), ["a b", "c d"]),
    "an object around a list": (json.dumps({"version": 1, "data": RECORDS}), ["a b", "c d"]),
    "an object around a list, indented": (json.dumps({"data": RECORDS}, indent=1) + "\n", ["a b", "c d"]),
    "texts on lines": ('"a b"\n"c d"\n', ["a b", "c d"]),
    "a list of texts": ('["a b", "c d"]', ["a b", "c d"]),
    "chats on lines": ("\n".join(map(json.dumps, TALKS)), CHATS),
    "a list of chats": (json.dumps(TALKS), CHATS),
    "a chat with messages on each line": ("\n".join(json.dumps({"messages": talk}) for talk in TALKS), CHATS),
}


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
@pytest.mark.parametrize(("content", "rows"), SHAPES.values(), ids=SHAPES)
def test_every_shape_of_json_is_read(tmp_path: Path, content: str, rows: Any, name: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    checked = check(name, io.BytesIO(path.read_bytes()), path)
    source = DatasetSource(path=str(path), **checked.model_dump(include={"format", "reading"}))
    assert [row for chunk in read_rows(source) for row in chunk.rows] == rows


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('[{"text": "a"},\n{"text": "b"},\n]', "Line 3 is not valid JSON: a comma stands before the ]"),
        ('[{"text": "a"}, 5]', "Element 2, in line 1, is not a JSON object"),
        ('{"text": "a"}\n[1]\n', "Line 2 is not a JSON object"),
        ("[[]]", "Element 1, in line 1, is not a JSON object"),
    ],
)
def test_json_that_holds_no_records_is_told_where(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        check("data.json", io.BytesIO(content.encode()), tmp_path / "data.json")
    assert reason in caught.value.reason
    assert caught.value.hint
