"""Reading every format: what was written comes back, however the stream is cut; what cannot be read is told by its place."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.dataset_cases import FORMATS, TEXTS, encoded
from tests.worker.reading import TEXT, Dribble, rows_in, rows_of_file
from worker.contract import Format
from worker.data.formats import text
from worker.data.formats.text import pieces, sections
from worker.datasets.validation import check
from worker.errors import DataError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
AWKWARD = st.sampled_from(
    ['"', ",", ";", "\t", "\n", "\r\n", "\r", "\\", "'", "\u2028", "\x85", "\ufeff", "{", "[", " ", "é", "👩‍👩‍👧"]
)
TEXTS_TO_WRITE = st.lists(st.one_of(ANY_TEXT, st.lists(AWKWARD, max_size=8).map("".join)), max_size=12)
CUTS = st.lists(st.integers(1, 50), min_size=1, max_size=20)
EXAMPLES = settings(max_examples=150, deadline=None)


def kept(texts: Sequence[str]) -> list[str]:
    return [each for each in texts if each.strip()]


def with_newlines(each: str) -> str:
    """As a text file holds it: it knows one kind of line end."""
    return each.replace("\r\n", "\n").replace("\r", "\n")


@EXAMPLES
@given(TEXTS_TO_WRITE, CUTS, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-16"]))
def test_lines_of_text_come_back(texts: list[str], sizes: list[int], newline: str, encoding: str) -> None:
    lines = [with_newlines(each).replace("\n", " ") for each in texts]
    data = newline.join(lines).encode("utf-8-sig" if encoding == "utf-8" else encoding)
    assert rows_in(data, sizes, "txt", encoding) == kept(lines)


@EXAMPLES
@given(TEXTS_TO_WRITE, CUTS, st.booleans())
def test_json_lines_come_back(texts: list[str], sizes: list[int], ascii_only: bool) -> None:
    lines = [json.dumps({"id": number, "text": each}, ensure_ascii=ascii_only) for number, each in enumerate(texts)]
    assert rows_in("\n\n".join(lines).encode(), sizes, "jsonl") == kept(texts)


@EXAMPLES
@given(TEXTS_TO_WRITE, CUTS, st.booleans(), st.sampled_from([None, 0, 4]))
def test_a_json_list_comes_back(texts: list[str], sizes: list[int], ascii_only: bool, indent: int | None) -> None:
    data = json.dumps([{"n": [1.5e300, None, {}], "text": each} for each in texts], ensure_ascii=ascii_only, indent=indent)
    assert rows_in(f"\n {data} \n".encode(), sizes, "json") == kept(texts)


@EXAMPLES
@given(TEXTS_TO_WRITE, CUTS, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_tables_come_back(texts: list[str], sizes: list[int], separator: str, newline: str) -> None:
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=separator, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "text"], *([number, each] for number, each in enumerate(texts))])
    format: Format = "tsv" if separator == "\t" else "csv"
    assert rows_in(table.getvalue().encode(), sizes, format) == kept(list(map(with_newlines, texts)))


@settings(max_examples=40, deadline=None)
@given(TEXTS_TO_WRITE)
def test_parquet_comes_back(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        path.write_bytes(encoded("parquet", texts))
        assert rows_of_file(path, format="parquet", reading=TEXT) == kept(texts)


@EXAMPLES
@given(ANY_TEXT.map(with_newlines), st.lists(ANY_TEXT, max_size=6), CUTS, st.integers(1, 40))
def test_the_sections_of_a_document_joined_are_the_document(head: str, tail: list[str], sizes: list[int], size: int) -> None:
    document = head + " \n".join(map(with_newlines, tail)) * 5
    found = list(sections(iter([document]), size))
    assert "".join(section.text for section in found) == document.strip()
    assert all(0 < len(section.text) <= size for section in found)
    assert [section.ends for section in found] == [False] * (len(found) - 1) + [True] * bool(found)
    cut = list(sections(pieces(Dribble(document.encode("utf-8-sig"), sizes), "utf-8"), size))
    assert cut == found


@EXAMPLES
@given(st.lists(ANY_TEXT, min_size=1, max_size=8).map(" \n".join), ANY_TEXT, st.integers(1, 40))
def test_text_added_at_the_end_moves_no_section_but_the_last(document: str, added: str, size: int) -> None:
    before = [section.text for section in sections(iter([document + "."]), size)]
    after = [section.text for section in sections(iter([document + "." + added]), size)]
    assert after[: len(before) - 1] == before[:-1]


def test_sections_end_with_a_line_else_a_sentence_else_a_word() -> None:
    def first(document: str) -> str:
        return next(sections(iter([document]), 20)).text

    assert first("One two three. Four\nfive six seven") == "One two three. Four\n"
    assert first("One two three. Four five six seven") == "One two three. "
    assert first("One two three four five six") == "One two three four "
    assert first("Onetwothreefourfivesixseven") == "Onetwothreefourfives"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)),
    st.integers(0, 400),
    st.booleans(),
)
@example("jsonl", b'{"text": ' + b"9" * 5000 + b"}", 0, False)
@example("json", b"[" * 100_000, 0, False)
@example("jsonl", b"[" * 100_000, 0, False)
@example("jsonl", b'{"\\ud800": 1}\n{"\\ud800": 1}\n', 0, False)
@example("jsonl", b'{"text": "\\ud800"}\n{"text": "b"}\n', 0, False)
def test_no_bytes_raise_anything_but_an_error_for_people(format: str, data: bytes, place: int, damaged: bool) -> None:
    """Bytes alone, and bytes in the midst of a good file."""
    if damaged:
        good = encoded(format, TEXTS)
        data = good[:place] + data + good[place + len(data) // 2 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        path.write_bytes(data)
        with suppress(DataError):
            assert check(f"a.{format}", io.BytesIO(data), path).rows


CANNOT_BE_READ: list[tuple[Format, str, str]] = [
    ("jsonl", '{"text": 1}\n\n[1, 2]\n', r"^Line 3 is not a JSON object"),
    ("jsonl", '{"text": "a"}\n{"text": "b"', r"^Line 2 is not valid JSON: Expecting ',' delimiter at column 13\."),
    ("jsonl", '{"text": {"a": 1}}', r"^Line 1 holds no text in column 'text'"),
    ("jsonl", '{"text": "a"}\n{"other": "b"}', r"^Line 2 has no column 'text'"),
    ("jsonl", '{"text": "\\ud83d"}', r"^Line 1 holds half of a character"),
    ("json", "5", "^Element 1, in line 1, is not a JSON object"),
    ("json", '[{"text": "a"},\n\n {"text": "b"}\n', r"^Line 4 is not valid JSON: , or \] is missing"),
    ("json", '[{"text": "a"}\n {"text": "b"}]', r"^Line 2 is not valid JSON: , or \] is missing"),
    ("json", '[{"text": "a"},\n\n 7]', r"^Element 2, in line 3, is not a JSON object"),
    ("json", '[{"text": "a"},\n{"text": "b}]', r"^Line 2 is not valid JSON: Unterminated string starting at at column 10\."),
    ("json", '[{"text": "a"}]\nmore', r"^Line 2 goes on after the list has ended"),
    ("json", '[{"text": "a"},]', r"^Line 1 is not valid JSON: a comma stands before the ]"),
    ("csv", 'text,n\na,1\n\n"b\nc,2\nd,3\n', r"^In line 4 a quote is opened that is not closed"),
    ("csv", 'text,n\n"a" b,1\n', r"^Line 2 cannot be read: ',' expected after '\"'"),
    ("csv", 'text,n\n"a\nb",1\nc,2,3\n', r"^Line 4 has 3 cells, and the header has 2"),
    ("csv", "\n\ntext,n\na\n", r"^Line 4 has 1 cell, and the header has 2"),
    ("csv", "other,n\na,1\n", r"^Row 1 has no column 'text'"),
    ("txt", "%PDF-1.7 and so on", r"^This is a PDF, not text"),
    ("txt", "GIF89a and so on", r"^This is a GIF picture, not text"),
]


@pytest.mark.parametrize(("format", "content", "reason"), CANNOT_BE_READ)
@pytest.mark.parametrize("sizes", [[1], [1 << 18]], ids=["byte by byte", "whole"])
def test_what_cannot_be_read_is_told_by_its_place(format: Format, content: str, reason: str, sizes: list[int]) -> None:
    if format == "txt" and sizes == [1]:
        return  # what kind of file it is, is seen in its first piece
    with pytest.raises(DataError, match=reason) as caught:
        rows_in(content.encode(), sizes, format)
    assert caught.value.hint


@pytest.mark.parametrize("sizes", [[1], [3], [1 << 18]])
@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (b"\xef\xbb\xbfa\r\nb\xc3\xa9\rc\xe9\n", "utf-8", "Line 3, column 2 is not UTF-8 text."),
        (b"a\n\xc3", "utf-8", "Line 2, column 1 is not UTF-8 text."),
        ("ab\r\ncé".encode("utf-16") + b"\x00\xd8", "utf-16", "Line 2, column 3 is not UTF-16 text."),
        (b"a\r\nb\r\0", "utf-8", "Line 3, column 1 holds a NUL character, so this is not text."),
    ],
)
def test_bytes_that_are_no_text_are_told_by_line_and_column(
    data: bytes, encoding: str, reason: str, sizes: list[int]
) -> None:
    with pytest.raises(DataError) as caught:
        rows_in(data, sizes, "txt", encoding)
    assert caught.value.reason == reason


@pytest.mark.parametrize("sizes", [[1 << 18], [100_000]])
def test_the_longest_line_is_the_same_however_the_stream_is_cut(sizes: list[int]) -> None:
    fits = b"x" * text.LONGEST_LINE
    assert len(rows_in(b"a\n" + fits + b"\nb\n", sizes, "txt")) == 3
    with pytest.raises(DataError, match=r"Line 2 is longer than 16 million characters\.") as caught:
        rows_in(b"a\n" + fits + b"y\nb\n", sizes, "txt")
    assert caught.value.hint == "Have it read as one long document."
