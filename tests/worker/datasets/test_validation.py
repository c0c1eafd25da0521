"""``python -m worker.datasets.validation``: every kind of file is accepted and counted, or refused with where and why."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.dataset_cases import CASES, HUGE, Case, encoded
from worker.contract import Checked, DatasetSource, Reading
from worker.data.formats import read_rows
from worker.datasets.validation import check, check_again
from worker.errors import DataError

COMMAND = (sys.executable, "-m", "worker.datasets.validation", "check")
GENEROUS_S = 30


def check_bytes(filename: str, data: bytes, path: Path) -> Checked:
    path.write_bytes(data)
    return check(filename, io.BytesIO(data), path)


def source_of(checked: Checked, path: Path) -> DatasetSource:
    return DatasetSource(path=str(path), **checked.model_dump(include=set(DatasetSource.model_fields) - {"path"}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_file_is_counted_or_refused_with_where_and_why(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "data"
    if isinstance(case.expected, str):
        with pytest.raises(DataError, match=case.expected) as caught:
            check_bytes(case.filename, case.data(), path)
        assert caught.value.hint
        return
    checked = check_bytes(case.filename, case.data(), path)
    assert (checked.rows, checked.empty_rows) == (case.expected, 0)
    source = source_of(checked, path)
    assert check_again(source) == checked
    rows = [row for chunk in read_rows(source) for row in chunk.rows]
    assert len(rows) == case.expected or (checked.reading.kind == "document" and len(rows) > 1)


def answer(filename: str, data: Iterable[bytes], path: Path, command: Sequence[str] = COMMAND) -> list[Any]:
    """The lines that the process says to bytes on its standard input."""
    process = subprocess.Popen([*command, filename, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    for part in data:
        process.stdin.write(part)
    process.stdin.close()
    lines = process.stdout.read().splitlines()
    assert process.wait(GENEROUS_S) == 0
    return [json.loads(line) for line in lines]


def test_the_process_says_one_line_of_json(tmp_path: Path) -> None:
    (said,) = answer("a.jsonl", [encoded("jsonl", ["one", "two"])], tmp_path / "data")
    assert Checked.model_validate(said["ok"]).rows == 2
    (said,) = answer("a.jsonl", [b'{"text": "one"}\nnothing\n'], tmp_path / "data")
    assert said["error"]["message"] == "Line 2 is not valid JSON: Expecting value at column 1."
    assert said["error"]["hint"]


def test_a_parquet_file_is_judged_once_it_is_whole(tmp_path: Path) -> None:
    data = encoded("parquet", [os.urandom(10_000).hex() for _ in range(100)])
    path = tmp_path / "data"

    def written_at_last() -> Iterable[bytes]:
        yield data
        path.write_bytes(data)

    (said,) = answer("a.parquet", written_at_last(), path)
    assert said["ok"]["rows"] == 100


def test_an_error_is_told_while_the_file_is_still_coming(tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, "a.txt", str(tmp_path / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError):  # it may have gone before all is written; the end is never told
        process.stdin.write(b"fine\nnot \0 fine\n" * 100_000)
        process.stdin.flush()
    assert b"Line 2, column 5 holds a NUL character" in process.stdout.read()
    assert process.wait(GENEROUS_S) == 0
    with suppress(BrokenPipeError):
        process.stdin.close()


@pytest.mark.parametrize("case", [case for case in CASES if case.id.endswith("huge-line")], ids=lambda case: case.id)
def test_a_line_of_100_megabytes_is_soon_judged(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(case.data())
    with path.open("rb") as file:
        done = subprocess.run(
            [*COMMAND, case.filename, str(path)], stdin=file, capture_output=True, timeout=GENEROUS_S, check=True
        )
    said = json.loads(done.stdout)
    if isinstance(case.expected, int):
        assert said["ok"]["rows"] == case.expected
    else:
        assert re.search(case.expected, said["error"]["message"])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the most memory that a process held")
@pytest.mark.parametrize("part", [b"a short line of text\n" * 50_000, b"word " * 200_000], ids=["lines", "one line"])
def test_memory_does_not_grow_with_the_file(part: bytes, tmp_path: Path) -> None:
    code = """
import sys
from worker.datasets.validation import main
main(["check", *sys.argv[1:]])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    count = 3 * HUGE // len(part)
    said, kilobytes = answer("a.txt", (part for _ in range(count)), tmp_path / "data", [sys.executable, "-c", code])
    assert said["ok"]["rows"] == (count * 50_000 if part.endswith(b"\n") else 1)
    assert kilobytes < 60_000


def test_checking_loads_nothing_heavy() -> None:
    code = "import worker.datasets.validation, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "tokenizers", "numpy", "pyarrow", "huggingface_hub"} & set(loaded)


def records(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows * 2).encode()


CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
SHARE_GPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
GUESSES = [
    (records({"text": "a", "id": "much longer than the text"}), {"kind": "text", "text": "text"}),
    (records({"id": 1, "Story": "a"}), {"kind": "text", "text": "Story"}),
    (records({"title": "a", "what": "the longest"}), {"kind": "text", "text": "what"}),
    (records({"number": 7}), {"kind": "text", "text": "number"}),
    (records({"prompt": "a", "completion": "b"}), {"kind": "completion", "prompt": "prompt", "completion": "completion"}),
    (
        records({"Question": "a", "ANSWER": "b", "text": "c"}),
        {"kind": "completion", "prompt": "Question", "completion": "ANSWER"},
    ),
    (
        records({"output": "b", "input": "c", "instruction": "a"}),
        {"kind": "completion", "prompt": "instruction", "completion": "output"},
    ),
    (records({"messages": CHAT, "text": "a"}), {"kind": "chat", "messages": "messages"}),
    (records({"conversations": SHARE_GPT}), {"kind": "chat", "messages": "conversations"}),
    (records({"dialogue": CHAT}), {"kind": "chat", "messages": "dialogue"}),
    (records({"messages": "no list", "id": 1}), {"kind": "text", "text": "messages"}),
]


@pytest.mark.parametrize(("data", "expected"), GUESSES)
def test_the_reading_is_guessed_from_the_columns(data: bytes, expected: dict[str, str], tmp_path: Path) -> None:
    reading = check_bytes("a.jsonl", data, tmp_path / "data").reading
    assert {name: value for name, value in reading if name in expected} == expected


def test_the_kinds_that_suit_a_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "data"
    assert check_bytes("a.txt", b"one\ntwo\n", path).readings == ["text", "document"]
    assert check_bytes("a.jsonl", records({"a": "x"}), path).readings == ["text", "document"]
    assert check_bytes("a.jsonl", records({"a": "x", "b": 1}), path).readings == ["text", "document", "completion", "chat"]
    assert check_bytes("a.jsonl", records({"a": "x", "b": CHAT}), path).readings == ["text", "document", "chat"]
    assert check_bytes("a.jsonl", records({"b": CHAT}), path).readings == ["chat"]


def test_columns_separators_and_empty_rows_are_told(tmp_path: Path) -> None:
    data = b'"a, b and c";text\n1;one\n2;\n\n3;"two; and more"\n4;  \n'
    checked = check_bytes("a.csv", data, tmp_path / "data")
    assert (checked.delimiter, checked.columns) == (";", ["a, b and c", "text"])
    assert (checked.rows, checked.empty_rows) == (2, 2)
    lines = check_bytes("a.txt", b"one\n\n  \ntwo\n\n", tmp_path / "data")
    assert (lines.rows, lines.empty_rows) == (2, 3)
    long_lines = check_bytes("a.txt", (b"word " * 60_000 + b"\n" + b" " * 300_000 + b"\n\n") * 3, tmp_path / "data")
    assert (long_lines.rows, long_lines.empty_rows) == (3, 6)


def test_a_json_file_of_objects_one_on_each_line_is_known_as_such(tmp_path: Path) -> None:
    assert check_bytes("a.json", records({"text": "x"}), tmp_path / "data").format == "jsonl"
    assert check_bytes("a.json", b'\n [{"text": "x"},\n\n{"text": "y"}]', tmp_path / "data").format == "json"


WRAPPED = "\n\n".join("\n".join(["a line of running text that was broken by hand"] * 5) for _ in range(10))


@pytest.mark.parametrize(
    ("text", "kind", "rows"),
    [
        ("one example on each line, all of it\n" * 50, "text", 50),
        ("one example on each line\n\n" * 50, "text", 50),
        ("One.\nThe second is quite a bit longer than the first, as examples are.\nThree?\n\n" * 10, "text", 30),
        (WRAPPED, "document", 1),
        ("a single paragraph that goes on. " * 40, "document", 1),
        ("short\n" + "word " * 4_000_000, "document", 1),
    ],
    ids=["lines", "lines with space between", "groups of lines", "paragraphs", "one line", "a line too long to hold"],
)
def test_running_text_is_told_from_examples_on_lines(text: str, kind: str, rows: int, tmp_path: Path) -> None:
    checked = check_bytes("a.txt", text.encode(), tmp_path / "data")
    assert (checked.reading.kind, checked.rows) == (kind, rows)


@pytest.mark.parametrize("name", ["a.doc", "a", "", "a.txt.zip", ".gz"])
def test_a_file_of_an_unknown_kind_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no kind of file that can be read") as caught:
        check_bytes(name, b"one\ntwo\n", tmp_path / "data")
    assert all(ending in str(caught.value.hint) for ending in (".txt", ".jsonl", ".csv", ".parquet", ".gz"))


def test_another_reading_is_checked_on_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    rows = [{"q": f"question {n}", "a": "" if n < 3 else "answer", "extra": None} for n in range(100)]
    source = source_of(check_bytes("a.jsonl", records(*rows), path), path)

    def again(**reading: Any) -> Checked:
        return check_again(source.model_copy(update={"reading": Reading(**reading)}))

    checked = again(kind="completion", prompt="q", completion="a")
    assert (checked.rows, checked.empty_rows, checked.reading.completion) == (194, 6, "a")
    documents = again(kind="document", text="q")
    assert (documents.rows, documents.empty_rows) == (200, 0)
    path.write_bytes(b'{"q": "one document"}\n')
    with pytest.raises(DataError, match="A text of 12 characters is too short"):
        again(kind="document", text="q")
    path.write_bytes(b'{"q": "one document that is long enough"}\n')
    assert again(kind="document", text="q").rows == 1
    path.write_bytes(records(*rows))
    with pytest.raises(DataError, match="Line 1 has no column 'b'") as caught:
        again(kind="completion", prompt="q", completion="b")
    assert "q, a, extra" in str(caught.value.hint)
    with pytest.raises(DataError, match="No column is chosen for completion"):
        again(kind="completion", prompt="q")
    with pytest.raises(DataError, match="holds no example: what would be learned is empty in every row"):
        again(kind="text", text="extra")
    with pytest.raises(DataError, match="Line 1 holds no messages in column 'q', but other text"):
        again(kind="chat", messages="q")


def test_a_text_file_can_be_read_in_two_ways_alone(tmp_path: Path) -> None:
    path = tmp_path / "data"
    source = source_of(check_bytes("a.txt", b"one line here\nand another\n", path), path)
    assert check_again(source.model_copy(update={"reading": Reading(kind="document")})).rows == 1
    with pytest.raises(DataError, match="has no columns"):
        check_again(source.model_copy(update={"reading": Reading(kind="chat", messages="x")}))
    path.write_bytes(b"tiny\n")
    with pytest.raises(DataError, match="A text of 4 characters is too short"):
        check_again(source.model_copy(update={"reading": Reading(kind="document")}))


def test_the_second_check_runs_as_a_process_too(tmp_path: Path) -> None:
    path = tmp_path / "data"
    checked = check_bytes("a.csv", encoded("csv", ["one", "two"]), path)
    command = [
        sys.executable,
        "-m",
        "worker.datasets.validation",
        "again",
        "a.csv",
        source_of(checked, path).model_dump_json(),
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    assert Checked.model_validate(json.loads(done.stdout)["ok"]) == checked
    path.unlink()
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["error"]["message"] == f"The dataset {path} is gone."
