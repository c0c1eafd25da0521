"""What a file is taken for, by its name and its beginning alone."""

from __future__ import annotations

import codecs
from typing import Any

import pytest

from worker.contract import Reading
from worker.data.formats.guess import encoding_of, format_of, is_compressed, is_document, paragraph_lengths, reading_of
from worker.errors import DataError


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.txt", "txt"), ("a.JSON", "json"), ("a.jsonl", "jsonl"), ("a.ndjson", "jsonl"), ("a.csv", "csv"),
        ("a.tsv", "tsv"), ("a.parquet", "parquet"), ("a.txt.gz", "txt"), ("a.b.csv.GZ", "csv"), ("a.json.txt", "txt"),
    ],
)  # fmt: skip
def test_the_last_suffix_names_the_format(filename: str, expected: str) -> None:
    assert format_of(filename) == expected


@pytest.mark.parametrize("filename", ["a", "a.gz", "a.txt.zip", ".gz", "a.txt.gz.gz", ""])
def test_what_cannot_be_read_is_told_with_what_can(filename: str) -> None:
    with pytest.raises(DataError, match="no kind of file that can be read") as caught:
        format_of(filename)
    assert ".parquet; all but the last may be compressed as .gz." in str(caught.value.hint)


def test_a_long_name_is_told_by_its_end() -> None:
    with pytest.raises(DataError) as caught:
        format_of("a" + "b" * 76 + ".zip")
    assert caught.value.reason.startswith(f"'{'b' * 76}.zip' is")


def test_the_first_bytes_tell_encoding_and_compression() -> None:
    assert [encoding_of(start + b"a\0") for start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)] == ["utf-16"] * 2
    assert [encoding_of(start) for start in (b"", b"text", codecs.BOM_UTF8)] == ["utf-8"] * 3
    assert [is_compressed(start) for start in (b"\x1f\x8b\x08", b"\x1f", b"text")] == [True, False, False]


def test_lines_that_stand_together_are_counted() -> None:
    assert paragraph_lengths(["", "a", "b", "", "", "c", ""]) == [2, 1]
    assert paragraph_lengths(["a", "b", "c"]) == [3]
    assert paragraph_lengths(["", ""]) == []


PARAGRAPH = ["a line of running text, broken by hand"] * 4


def test_running_text_in_paragraphs_is_a_document() -> None:
    assert is_document([*PARAGRAPH, "", *PARAGRAPH])
    assert is_document([*PARAGRAPH, "", *(line.ljust(100, "x") for line in PARAGRAPH)]) is False, "lines of uneven length"
    assert is_document(["x" * 100] * 4 + [""] + ["x" * 100] * 4)
    assert not is_document(["x" * 100] * 4 + [""] + ["x" * 101] * 4), "too long to have been broken by hand"
    assert not is_document([*PARAGRAPH, "", *PARAGRAPH[:3]]), "seven lines tell too little"
    assert not is_document(PARAGRAPH * 2), "nothing divides it"
    assert not is_document(["one example"] * 20)
    assert not is_document(["", ""])
    assert is_document([*PARAGRAPH, *("", "a heading") * 4]), "half of the lines stand in paragraphs"
    assert not is_document([*PARAGRAPH, *("", "a heading") * 5])


ALL = "text document completion chat"
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("record", "reading", "kinds"),
    [
        ({"id": "1", "text": "a"}, Reading(kind="text", text="text", prompt="id", completion="text"), ALL),
        ({"a": "x", "b": "long text"}, Reading(kind="text", text="b", prompt="a", completion="b"), ALL),
        ({"only": "x"}, Reading(kind="text", text="only", prompt="only"), "text document"),
        (
            {"Output": "b", "Instruction": "a"},
            Reading(kind="completion", text="Output", prompt="Instruction", completion="Output"),
            ALL,
        ),
        ({"answer": "b", "other": "c"}, Reading(kind="text", text="answer", prompt="other", completion="answer"),
         ALL),
        ({"chat": MESSAGES}, Reading(kind="chat", messages="chat"), "chat"),
        ({"chat": MESSAGES, "messages": MESSAGES}, Reading(kind="chat", messages="messages"), "chat"),
        ({"chat": '[{"from": "human"}]', "note": "x"}, Reading(kind="chat", text="note", messages="chat"),
         "text document chat"),
        ({"chat": ' [{"role": "user"}]'}, Reading(kind="chat", messages="chat"), "chat"),
        ({"list": [{"name": "x"}]}, Reading(kind="text", text="list", prompt="list"), "text document"),
        ({"list": ["x"], "one": MESSAGES[0]}, Reading(kind="text", text="list", prompt="list", completion="one"), ALL),
        ({"list": '[{"role": '}, Reading(kind="text", text="list", prompt="list"), "text document"),
        ({}, Reading(kind="text"), ""),
    ],
)  # fmt: skip
def test_columns_are_taken_for_what_they_are_called_and_hold(record: dict[str, Any], reading: Reading, kinds: str) -> None:
    assert reading_of(list(record), [record]) == (reading, kinds.split())
