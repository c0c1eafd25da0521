"""Tables and conversations as people have them: how they are read without being told, and what is learned."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from worker.contract import DatasetSource
from worker.data.formats import Chat, Completion, Message, read_rows
from worker.datasets.validation import check
from worker.errors import DataError

HI, HO = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}
CALL = {"name": "warmth", "arguments": '{"town": "Oslo"}'}
CALLED = {"tool_calls": [{"type": "function", "function": {"name": "warmth", "arguments": {"town": "Oslo"}}}]}
USER, ANSWER = Message("user", "Hi"), Message("assistant", "Ho")
ASKED = USER._replace(learned=False)
TOOL = {"type": "function", "function": {"name": "warmth"}}

SHAPES: list[tuple[str, dict[str, Any], Any]] = [
    ("Alpaca", {"instruction": "Name it.", "input": "A cat.", "output": "Cat"}, Completion("Name it.\n\nA cat.", "Cat")),
    ("Alpaca, no input", {"instruction": "Say hi.", "input": "", "output": "Hi"}, Completion("Say hi.", "Hi")),
    ("Dolly", {"instruction": "Who?", "context": "Ann.", "response": "Ann"}, Completion("Ann.\n\nWho?", "Ann")),
    ("SQuAD", {"context": "C", "question": "Q?", "answer": "A"}, Completion("C\n\nQ?", "A")),
    ("system", {"system": "Be kind.", "prompt": "Hi", "completion": "Ho"}, Completion("Be kind.\n\nHi", "Ho")),
    ("summary", {"article": "Long.", "summary": "Short."}, Completion("Long.", "Short.")),
    ("preference", {"prompt": "p", "chosen": "c", "rejected": "a much longer one"}, Completion("p", "c")),
    ("KTO", {"prompt": "p", "completion": "c", "label": True}, Completion("p", "c")),
    ("preference, chats", {"rejected": [HI, {**HO, "content": "No"}], "chosen": [HI, HO]}, Chat((USER, ANSWER))),
    (
        "preference, answers",
        {"prompt": "Hi", "chosen": [HO], "rejected": [HI]},
        Chat((ASKED, ANSWER)),
    ),
    ("prompt and completion", {"prompt": [HI], "completion": [HO]}, Chat((ASKED, ANSWER))),
    ("system beside", {"messages": [HI, HO], "system": "Be kind."}, Chat((Message("system", "Be kind."), USER, ANSWER))),
    ("developer", {"messages": [{"role": "developer", "content": "x"}, HO]}, Chat((Message("system", "x"), ANSWER))),
    ("weight", {"messages": [HI, {**HO, "weight": 0}]}, Chat((USER, ANSWER._replace(learned=False)))),
    ("train", {"messages": [HI, {**HO, "train": False}]}, Chat((USER, ANSWER._replace(learned=False)))),
    ("reasoning", {"messages": [{**HO, "thinking": "hm"}]}, Chat((ANSWER._replace(extras={"reasoning_content": "hm"}),))),
    (
        "calls",
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": CALL}]}], "tools": [TOOL]},
        Chat((Message("assistant", "", extras=CALLED),), [TOOL]),
    ),
    (
        "calls in ShareGPT",
        {"conversations": [{"from": "function_call", "value": json.dumps(CALL)}, {"from": "observation", "value": "9"}]},
        Chat((Message("assistant", "", extras=CALLED), Message("tool", "9"))),
    ),
]


@pytest.mark.parametrize(("record", "expected"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_records_of_common_shapes_are_read_as_they_are_meant(tmp_path: Path, record: dict[str, Any], expected: Any) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(f"{json.dumps(record)}\n" * 2)
    checked = check("data.jsonl", io.BytesIO(path.read_bytes()), path)
    source = DatasetSource(path=str(path), **checked.model_dump(include={"format", "reading"}))
    assert [row for chunk in read_rows(source) for row in chunk.rows] == [expected, expected]


def test_answers_that_are_labelled_bad_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    labels = [True, False, True, None]
    path.write_text("".join(json.dumps({"prompt": "p", "completion": "c", "label": label}) + "\n" for label in labels))
    checked = check("data.jsonl", io.BytesIO(path.read_bytes()), path)
    assert (checked.rows, checked.empty_rows) == (2, 2)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "assistant", "content": None}, "has no content that is text"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "has a tool call without a name"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, "holds image_url and no text"),
        ({"from": "function_call", "value": "not JSON"}, "holds JSON that cannot be read"),
    ],
)
def test_a_message_that_cannot_be_used_is_told(tmp_path: Path, message: dict[str, Any], reason: str) -> None:
    content = json.dumps({"messages": [message, HO]}).encode()
    with pytest.raises(DataError, match=f"Line 1, message 1, {reason}"):
        check("data.jsonl", io.BytesIO(content), tmp_path / "data.jsonl")
