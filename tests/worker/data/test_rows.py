"""From records to rows: what each form of example means, and where in the file it stood."""

from __future__ import annotations

import csv
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from tests.dataset_cases import encoded
from tests.worker.reading import TEXT, rows_in, rows_of_file
from worker.contract import DatasetSource, Format, Reading
from worker.data.formats import Chat, Completion, Message, Row, Section, key, read_records, read_rows, text
from worker.errors import DataError

MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yes?"},
]
PARTS = [
    {
        **message,
        "content": [
            {"type": "text", "text": message["content"][:2]},
            {"type": "image", "text": None},
            {"type": "text", "text": message["content"][2:]},
        ],
    }
    for message in MESSAGES
]
SHARE_GPT = [
    {"from": name, "value": message["content"]} for name, message in zip(("system", "human", "gpt"), MESSAGES, strict=True)
]
CHAT = Reading(kind="chat", messages="talk")


@pytest.mark.parametrize(
    "talk", [MESSAGES, PARTS, SHARE_GPT, json.dumps(MESSAGES)], ids=["plain", "parts", "share-gpt", "text"]
)
@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "parquet"])
def test_conversations_of_every_form_are_the_same(tmp_path: Path, format: str, talk: Any) -> None:
    path = tmp_path / "data"
    none: list[Any] = []
    if format == "parquet":
        empty = "" if isinstance(talk, str) else none
        parquet.write_table(pyarrow.table({"talk": [talk, empty, talk]}), path)
    elif format == "csv":
        cell = talk if isinstance(talk, str) else json.dumps(talk)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["talk", "n"], [cell, 1], ["", 2], [cell, 3]])
    elif format == "jsonl":
        path.write_text("".join(json.dumps({"talk": each}) + "\n" for each in (talk, none, talk)))
    else:
        path.write_text(json.dumps([{"talk": each} for each in (talk, None, talk)]))
    expected = Chat((Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Yes?")))
    assert rows_of_file(path, format=format, reading=CHAT) == [expected, expected]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([{"role": "robot", "content": "a"}], "Line 1, message 1, has the role 'robot'"),
        ([MESSAGES[0], {"role": "user"}], "Line 1, message 2, has no content that is text"),
        ([MESSAGES[0], {"content": "a"}], "Line 1, message 2, has no role, but content"),
        (["Hi"], "Line 1, message 1, is not an object"),
        ({"role": "user", "content": "a"}, "Line 1 holds no list of messages in column 'talk'"),
        ("Hi", "Line 1 holds no messages in column 'talk', but other text"),
    ],
)
def test_a_conversation_that_is_none_is_told(talk: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        rows_in(json.dumps({"talk": talk}).encode(), [1000], "jsonl", reading=CHAT)
    assert caught.value.hint


def test_a_conversation_that_is_not_there_is_told() -> None:
    with pytest.raises(DataError, match=r"^Line 1 has no column 'talk'"):
        rows_in(b'{"other": 1}', [1000], "jsonl", reading=CHAT)


def test_an_error_can_be_sent_on_whatever_it_quotes() -> None:
    """A lone surrogate, which JSON can spell, is in no encoding."""
    for line in ('{"\\ud800": 1}', '{"text": "\\ud800"}'):
        with pytest.raises(DataError) as caught:
            rows_in(line.encode(), [1000], "jsonl")
        assert f"{caught.value.reason} {caught.value.hint}".encode()


def test_cells_that_are_no_text_are_written_as_text_and_empty_ones_left_out(tmp_path: Path) -> None:
    cells = [7, 1.5, True, None, "", "  ", " kept ", float("nan"), float("inf")]
    data = "".join(json.dumps({"text": cell}) + "\n" for cell in cells)
    assert rows_in(data.encode(), [1000], "jsonl") == ["7", "1.5", "true", " kept "]
    parquet.write_table(pyarrow.table({"text": [b"\xff", b"a"]}), tmp_path / "data")
    with pytest.raises(DataError, match="Row 1 holds no text in column 'text'"):
        rows_of_file(tmp_path / "data", format="parquet", reading=TEXT)


def test_prompts_may_be_empty_and_completions_may_not() -> None:
    rows = [{"p": "2+2=", "c": "4"}, {"p": None, "c": "from nothing"}, {"p": "asked", "c": " "}, {"p": "x", "c": None}]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    reading = Reading(kind="completion", prompt="p", completion="c")
    assert rows_in(data, [1000], "jsonl", reading=reading) == [Completion("2+2=", "4"), Completion("", "from nothing")]


def test_each_record_may_be_a_document_of_its_own() -> None:
    data = "".join(json.dumps({"text": "word " * count}) + "\n" for count in (300, 1, 0)).encode()
    rows = rows_in(data, [1000], "jsonl", reading=Reading(kind="document", text="text"))
    assert [isinstance(row, Section) and row.ends for row in rows] == [False, True, True]
    assert "".join(row.text for row in rows if isinstance(row, Section)) == ("word " * 300).strip() + "word"


def test_rows_have_the_same_key_only_if_they_are_the_same() -> None:
    rows: list[Row] = [
        *("a", "b"),
        *(Completion("a", "b"), Completion("ab", ""), Completion("", "ab")),
        *(
            Chat((Message("user", "ab"),)),
            Chat((Message("user", "a"), Message("user", "b"))),
            Chat((Message("system", "ab"),)),
        ),
    ]
    assert len({key(row) for row in rows}) == len(set(rows)) == len(rows)
    assert key("a text") == "a text"
    assert key(Completion("a", "b")) == key(Completion("a", "b"))


def test_numbers_are_places_in_the_file(tmp_path: Path) -> None:
    def numbers(format: Format, content: str) -> list[int]:
        (tmp_path / "data").write_text(content)
        source = DatasetSource(path=str(tmp_path / "data"), format=format, reading=TEXT)
        found = [number for chunk in read_rows(source) for number in chunk.numbers]
        assert set(found) <= {number for number, _ in read_records(source)}
        return found

    assert numbers("txt", "\none\n \ntwo") == [2, 4]
    assert numbers("jsonl", '\n{"text": "a"}\n{"text": ""}\n{"text": "b"}') == [2, 4]
    assert numbers("json", '\n[\n{"text": "a"}, {"text": ""}, {"text": "b"}]') == [1, 3]
    assert numbers("csv", 'text,n\n"a\na",1\n\n,2\nb,3\n') == [1, 3]


def test_records_are_shown_as_they_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("text,n\n a ,1\n,2\n")
    assert list(read_records(DatasetSource(path=str(path), format="csv"))) == [
        (1, {"text": " a ", "n": "1"}),
        (2, {"text": "", "n": "2"}),
    ]
    path.write_text(" a \n\nb\n")
    assert list(read_records(DatasetSource(path=str(path)))) == [(1, " a "), (3, "b")]


@pytest.mark.parametrize("format", ["txt", "jsonl", "parquet", "txt.gz"])
def test_chunks_are_small_and_progress_is_told(tmp_path: Path, format: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(encoded(format, [f"{number} " + "word " * 400 for number in range(5000)]))
    source = DatasetSource(
        path=str(path), format=format.split(".")[0], compressed=format.endswith(".gz"), reading=TEXT
    )  # fmt: skip
    told: list[int] = []
    chunks = list(read_rows(source, progress=told.append))
    assert all(len(chunk.numbers) == len(chunk.rows) <= 1000 for chunk in chunks)
    assert all(sum(map(len, map(key, chunk.rows))) < 1_100_000 for chunk in chunks)
    assert sum(len(chunk.rows) for chunk in chunks) == 5000
    assert told == sorted(told)
    assert len(set(told)) > 2
    assert told[-1] == path.stat().st_size

    class GivenUp(Exception):  # noqa: N818
        pass

    def give_up(bytes_read: int) -> None:
        raise GivenUp

    with pytest.raises(GivenUp):
        list(read_rows(source, progress=give_up))


@pytest.mark.parametrize(
    ("format", "around"),
    [
        ("txt", ("", "", "")),
        ("json", ('[{"text": "', '"},\n{"text": "', '"}]')),
        ("jsonl", ('{"text": "', '"}\n{"text": "', '"}')),
    ],
)
def test_memory_stays_small_while_a_large_file_is_read(tmp_path: Path, format: Format, around: tuple[str, str, str]) -> None:
    before, between, after = around
    path = tmp_path / "data"
    path.write_text(before + between.join(["a word and another one. " * 100] * 10_000) + after)  # 24 MB; a .txt is one line
    reading = Reading(kind="document", text="text") if format == "txt" else TEXT
    tracemalloc.start()
    try:
        for _ in read_rows(DatasetSource(path=str(path), format=format, reading=reading)):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_a_file_that_would_unpack_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MOST_UNPACKED_BYTES", 1 << 30)
    block = gzip.compress(b"word\n" * 20_000_000)
    (tmp_path / "data").write_bytes(block * 12)
    with pytest.raises(DataError, match="holds more than 1 GB of text"):
        rows_of_file(tmp_path / "data", compressed=True, reading=Reading(kind="document"))


@pytest.mark.parametrize("format", ["txt", "parquet"])
def test_a_file_that_is_gone_is_told(tmp_path: Path, format: str) -> None:
    path = tmp_path / "data"
    read: list[Callable[[DatasetSource], Iterator[Any]]] = [read_rows, read_records]
    for each in read:
        with pytest.raises(DataError) as caught:
            list(each(DatasetSource(path=str(path), format=format, reading=TEXT)))
        assert caught.value.reason == f"The dataset {path} is gone."


@pytest.mark.parametrize(
    ("said", "meant"),
    [("system", "system"), ("user", "user"), ("human", "user"), ("assistant", "assistant"), ("gpt", "assistant"),
     ("bot", "assistant"), ("model", "assistant"), ("tool", "tool")],
)  # fmt: skip
@pytest.mark.parametrize(("role", "content"), [("role", "content"), ("from", "value")])
def test_whoever_speaks_is_known_by_every_name(said: str, meant: str, role: str, content: str) -> None:
    talk = [{role: "user", content: "Hi"}, {role: said, content: "a word"}, {role: "assistant", content: "Yes?"}]
    (row,) = rows_in(json.dumps({"talk": talk}).encode(), [1000], "jsonl", reading=CHAT)
    assert row == Chat((Message("user", "Hi"), Message(meant, "a word"), Message("assistant", "Yes?")))
