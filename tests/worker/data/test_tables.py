"""Tables as programs write them: how their rows come out, whatever stands around them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.contract import Checked, DatasetSource
from worker.data.formats import Chat, Completion, Message, read_rows
from worker.data.formats.tables import table
from worker.datasets.validation import check, check_again
from worker.errors import DataError

PAIR = [Completion("one", "two"), Completion("three", "four")]

SHAPES: list[tuple[str, str, str, list[str], list[Any]]] = [
    ("index column", "a.csv", ",text\n0,one\n1,two\n", ["column 1", "text"], ["one", "two"]),
    ("empty columns at the end", "a.csv", "text,,\none,,\ntwo,,\n", ["text"], ["one", "two"]),
    ("and not in the rows", "a.csv", "text,,\none\ntwo,\n", ["text"], ["one", "two"]),
    ("no name, but cells", "a.csv", "text,\none,x\ntwo,y\n", ["text", "column 2"], ["one", "two"]),
    ("empty cells beyond", "a.csv", "text\none,,\ntwo\n", ["text"], ["one", "two"]),
    ("Excel's own line", "a.csv", "sep=;\nprompt;completion\none;two\nthree;four\n", ["prompt", "completion"], PAIR),
    ("in quotes", "a.csv", '"sep=|"\r\nprompt|completion\r\none|two\r\nthree|four\r\n', ["prompt", "completion"], PAIR),
    ("a name twice", "a.csv", "text,text\none,x\ntwo,y\n", ["text", "text (2)"], ["one", "two"]),
    ("quotes in a .tsv", "a.tsv", 'text\tn\n"Hi she said\t1\n5" disk\t2\n"x" y\t3\n', ["text", "n"],
     ['"Hi she said', '5" disk', '"x" y']),
    ("a quoted .tsv", "a.tsv", 'n\ttext\n1\t"a\tb"\n2\t"c ""d"""\n3\t"e\n\nf"\n4\tg\n', ["n", "text"],
     ["a\tb", 'c "d"', "e\n\nf", "g"]),
    ("wholly quoted", "a.tsv", '"n"\t"text"\n"1"\t"a\nb\tc"\n"2"\t"d"\n', ["n", "text"], ["a\nb\tc", "d"]),
    ("no header", "a.csv", '"What is 1+1?","Two"\n"And 2+2?","Four"\n', ["column 1", "column 2"],
     [Completion("What is 1+1?", "Two"), Completion("And 2+2?", "Four")]),
    ("no header, one column", "a.csv", "It is late.\nIt is early.\n", ["column 1"], ["It is late.", "It is early."]),
    ("no header, tabs", "a.tsv", "It is late.\t1\nIt is early.\t2\n", ["column 1", "column 2"],
     [Completion("It is late.", "1"), Completion("It is early.", "2")]),
    ("names of several words", "a.csv", "user question,model answer\none,two words\nthree,four words\n",
     ["user question", "model answer"], ["two words", "four words"]),
]  # fmt: skip


def checked(tmp_path: Path, name: str, content: str) -> tuple[Checked, DatasetSource]:
    path = tmp_path / "data"
    path.write_bytes(content.encode())
    with path.open("rb") as file:
        found = check(name, file, path)
    source = DatasetSource(path=str(path), **found.model_dump(include=set(DatasetSource.model_fields) - {"path"}))
    return found, source


def rows_of(source: DatasetSource) -> list[Any]:
    return [row for chunk in read_rows(source) for row in chunk.rows]


@pytest.mark.parametrize(
    ("name", "content", "columns", "rows"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
def test_tables_are_read_as_they_were_meant(
    tmp_path: Path, name: str, content: str, columns: list[str], rows: list[Any]
) -> None:
    found, source = checked(tmp_path, name, content)
    assert (found.columns, rows_of(source), found.rows) == (columns, rows, len(rows))
    assert check_again(source) == found


def test_a_cell_that_no_column_has_is_refused(tmp_path: Path) -> None:
    for content in ("text,n\none\n", "text\none\ntwo,x\n", "text,\none\ntwo,,x\n"):
        with pytest.raises(DataError, match="and the header has"):
            checked(tmp_path, "a.csv", content)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet='a" \n', max_size=6), min_size=1, max_size=6))
def test_tabs_between_cells_that_are_quoted_where_they_must_be_come_back(texts: list[str]) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter="\t", lineterminator="\n")
    writer.writerows([["n", "text"], *([number, text] for number, text in enumerate(texts))])
    assert [record["text"] for _, record in table(iter([written.getvalue()]), "\t")] == texts


def test_whether_there_is_a_header_can_be_said(tmp_path: Path) -> None:
    found, source = checked(tmp_path, "a.csv", "cat,chat\ndog,chien\nbird,oiseau\n")
    assert (found.header, found.columns, found.rows) == (True, ["cat", "chat"], 2)
    other = check_again(source.model_copy(update={"header": False}), as_guessed=True)
    assert (other.columns, other.rows, other.reading.kind) == (["column 1", "column 2"], 3, "completion")
    assert other.notes == ["The first row is read as an example, and not as the names of the columns."]


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    found, _ = checked(tmp_path, "a.csv", "id,text,note\n1,a text,x\n2,another,y\n")
    assert found.notes == ["Not used: “id”, “note”."]
    found, _ = checked(tmp_path, "a.csv", "prompt,chosen,rejected\na,b,c\nd,e,f\n")
    assert found.notes == ["Rejected answers are never learned: “rejected”."]
    found, _ = checked(tmp_path, "a.csv", "instruction,input,output\na,b,c\nd,,f\n")
    assert found.notes == [], "all is used"


def test_words_for_nothing_are_told_and_can_be_taken_as_empty(tmp_path: Path) -> None:
    found, source = checked(tmp_path, "a.csv", "prompt,completion\na,nan\nb,None\nnull,yes\nd,N/A\ne,no\n")
    (note,) = found.notes
    assert note.startswith("4 cells say nan, None, null or NA.")
    assert (found.rows, found.empty_rows) == (5, 0)
    reading = found.reading.model_copy(update={"empty_words": True})
    again = check_again(source.model_copy(update={"reading": reading}))
    assert (again.rows, again.empty_rows, again.notes) == (2, 3, [])
    assert rows_of(source.model_copy(update={"reading": reading})) == [Completion("", "yes"), Completion("e", "no")]


def test_what_was_said_before_becomes_earlier_turns(tmp_path: Path) -> None:
    rows = [
        {"instruction": "And him?", "input": "", "output": "Ten.", "history": [["How old is she?", "Nine."]],
         "system": "Be brief."},
        {"instruction": "And", "input": "it?", "output": "Two.", "history": []},
    ]  # fmt: skip
    found, source = checked(tmp_path, "a.json", json.dumps(rows))
    assert (found.reading.kind, found.notes) == ("chat", [])
    said = [[tuple(message[:2]) for message in row.messages] for row in rows_of(source)]
    assert said == [
        [("system", "Be brief."), ("user", "How old is she?"), ("assistant", "Nine."), ("user", "And him?"),
         ("assistant", "Ten.")],
        [("user", "And\n\nit?"), ("assistant", "Two.")],
    ]  # fmt: skip


def test_a_prompt_and_its_answer_can_be_read_as_a_chat(tmp_path: Path) -> None:
    found, source = checked(tmp_path, "a.csv", "prompt,completion\na,b\nc,d\n")
    assert found.readings == ["text", "document", "completion", "chat"]
    reading = found.reading.model_copy(update={"kind": "chat"})
    assert rows_of(source.model_copy(update={"reading": reading})) == [
        Chat((Message("user", "a"), Message("assistant", "b"))),
        Chat((Message("user", "c"), Message("assistant", "d"))),
    ]
