"""Reading every format: what was written comes back, however the stream is cut; what cannot be read is told by its place."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.dataset_cases import FORMATS, TEXTS, encoded
from worker.contract import DatasetSource, Format, Reading
from worker.data.formats import Chat, Completion, Message, Row, Section, key, read_records, read_rows, text
from worker.data.formats.reading import records_of, rows_of
from worker.data.formats.text import pieces, sections
from worker.datasets.validation import check
from worker.errors import DataError

TEXT = Reading(text="text")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
AWKWARD = st.sampled_from(
    ['"', ",", ";", "\t", "\n", "\r\n", "\r", "\\", "'", "\u2028", "\x85", "\ufeff", "{", "[", " ", "é", "👩‍👩‍👧"]
)
TEXTS_TO_WRITE = st.lists(st.one_of(ANY_TEXT, st.lists(AWKWARD, max_size=8).map("".join)), max_size=12)
CUTS = st.lists(st.integers(1, 50), min_size=1, max_size=20)
EXAMPLES = settings(max_examples=150, deadline=None)


class Dribble:
    """Bytes that come in pieces of these sizes, over and over."""

    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._file = io.BytesIO(data)
        self._sizes = sizes
        self._count = 0

    def read(self, size: int, /) -> bytes:
        self._count += 1
        return self._file.read(min(size, self._sizes[self._count % len(self._sizes)]))


def rows_in(
    data: bytes, sizes: Sequence[int], format: Format, encoding: Any = "utf-8", reading: Reading = TEXT
) -> list[Row]:
    """The rows of bytes that come in such pieces."""
    source = DatasetSource(path="", format=format, encoding=encoding, reading=reading)
    texts = pieces(Dribble(data, sizes), source.encoding)
    return [row for _, row in rows_of(records_of(texts, source.format, source.delimiter), source, 1000)]


def rows_of_file(path: Path, **source: Any) -> list[Row]:
    return [row for chunk in read_rows(DatasetSource(path=str(path), **source)) for row in chunk.rows]


def kept(texts: Sequence[str]) -> list[str]:
    return [stripped for each in texts if (stripped := each.strip())]


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
    ("json", '{"text": "a"}', r"^This is no list of objects"),
    ("json", '[{"text": "a"},\n\n {"text": "b"}\n', r"^Line 4 is not valid JSON: , or \] is missing"),
    ("json", '[{"text": "a"}\n {"text": "b"}]', r"^Line 2 is not valid JSON: , or \] is missing"),
    ("json", '[{"text": "a"},\n\n 7]', r"^Element 2, in line 3, is not a JSON object"),
    ("json", '[{"text": "a"},\n{"text": "b}]', r"^Line 2 is not valid JSON: Unterminated string starting at at column 10\."),
    ("json", '[{"text": "a"}]\nmore', r"^Line 2 goes on after the list has ended"),
    ("json", '[{"text": "a"},]', r"^Line 1 is not valid JSON: Expecting value at column 16"),
    ("csv", "text,text\na,b", r"^The header, in line 1, has two columns called 'text'"),
    ("csv", "\ntext,\na,b", r"^The header, in line 2, has no name for column 2"),
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


MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yes?"},
]
PARTS = [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in MESSAGES]
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
        ([MESSAGES[0], {"content": "a"}], "Line 1, message 2, has the role None"),
        (["Hi"], "Line 1, message 1, is not an object"),
        ({"role": "user", "content": "a"}, "Line 1 holds no list of messages in column 'talk'"),
        ("Hi", "Line 1 holds no messages in column 'talk', but other text"),
    ],
)
def test_a_conversation_that_is_none_is_told(talk: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        rows_in(json.dumps({"talk": talk}).encode(), [1000], "jsonl", reading=CHAT)
    assert caught.value.hint


def test_an_error_can_be_sent_on_whatever_it_quotes() -> None:
    """A lone surrogate, which JSON can spell, is in no encoding."""
    for line in ('{"\\ud800": 1}', '{"text": "\\ud800"}'):
        with pytest.raises(DataError) as caught:
            rows_in(line.encode(), [1000], "jsonl")
        assert f"{caught.value.reason} {caught.value.hint}".encode()


def test_cells_that_are_no_text_are_written_as_text_and_empty_ones_left_out(tmp_path: Path) -> None:
    cells = [7, 1.5, True, None, "", "  ", " kept "]
    data = "".join(json.dumps({"text": cell}) + "\n" for cell in cells)
    assert rows_in(data.encode(), [1000], "jsonl") == ["7", "1.5", "true", "kept"]
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
