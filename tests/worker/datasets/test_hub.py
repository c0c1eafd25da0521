"""Datasets of the hub, from a server on the loopback that speaks its file API: which files are taken, and what becomes of
them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from tests.loopback_hub import LoopbackHub
from worker.contract import DatasetSource, Reading
from worker.data.formats import read_rows
from worker.data.formats.shards import choose, join
from worker.errors import DataError


def fetch(hub: LoopbackHub, tmp_path: Path, name: str) -> list[dict[str, Any]]:
    """The lines that the process prints. What it left is in tmp_path/fetched."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    environment = {**os.environ, **hub.environment(tmp_path / "home")}
    command = [sys.executable, "-m", "worker.datasets.hub", name, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def texts(path: Path, **source: Any) -> list[Any]:
    source = {"format": path.suffix[1:], **source}
    return [row for chunk in read_rows(DatasetSource(path=str(path), **source)) for row in chunk.rows]


def write_parquet(path: Path, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table({"text": rows}), path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two shards of a split to learn from and one of a split to test on, in Parquet; a README, and code."""
    folder = tmp_path / "repository"
    write_parquet(folder / "data" / "train-00000-of-00002.parquet", [f"first {n}" for n in range(7000)])
    write_parquet(folder / "data" / "train-00001-of-00002.parquet", [f"second {n}" for n in range(7000)])
    write_parquet(folder / "data" / "test-00000-of-00001.parquet", ["only for testing", "this too"])
    (folder / "README.md").write_text("About it")
    (folder / "repository.py").write_text("raise SystemExit('this code was run')")
    return folder


def test_the_shards_of_a_split_become_one_file_and_progress_is_told(repository: Path, tmp_path: Path) -> None:
    with LoopbackHub({}, {"someone/texts": repository}) as hub:
        *progress, last = fetch(hub, tmp_path, "someone/texts")
    assert last == {"file": "data.parquet"}
    total = sum(file.stat().st_size for file in (repository / "data").glob("train*"))
    assert {line["total"] for line in progress} == {total}
    told = [line["bytes"] for line in progress]
    assert (told[0], told[-1]) == (0, total)
    assert told == sorted(told)
    assert os.listdir(tmp_path / "fetched") == ["data.parquet"]
    wanted = [f"{which} {n}" for which in ("first", "second") for n in range(7000)]
    assert texts(tmp_path / "fetched" / "data.parquet", reading=Reading(text="text")) == wanted
    asked_for = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert asked_for == {"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}


def test_another_split_can_be_asked_for(repository: Path, tmp_path: Path) -> None:
    with LoopbackHub({}, {"someone/texts": repository}) as hub:
        assert fetch(hub, tmp_path, "someone/texts:test")[-1] == {"file": "data.parquet"}
    assert texts(tmp_path / "fetched" / "data.parquet", reading=Reading(text="text")) == ["only for testing", "this too"]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("someone/nothing", "The hub has no dataset someone/nothing, or it is private.", "HF_TOKEN"),
        ("someone/texts:dev", "The repository has no split 'dev'.", "data, test, train"),
        ("someone/code", "The repository holds no file that can be read.", ".parquet, .jsonl, .json, .csv, .tsv, .txt"),
    ],
)
def test_what_cannot_be_fetched_is_told(repository: Path, tmp_path: Path, name: str, message: str, hint: str) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "code.py").write_text("raise SystemExit('this code was run')")
    with LoopbackHub({}, {"someone/texts": repository, "someone/code": code}) as hub:
        (line,) = fetch(hub, tmp_path, name)
    assert line["error"]["message"] == message
    assert hint in line["error"]["hint"]
    assert os.listdir(tmp_path / "fetched") == []


def test_a_hub_that_cannot_be_reached_and_a_download_that_breaks_off_are_told(repository: Path, tmp_path: Path) -> None:
    with LoopbackHub({}, {"someone/texts": repository}) as hub:
        hub.break_off = True
        broken = fetch(hub, tmp_path, "someone/texts:test")[-1]
    assert "someone/texts could not be downloaded" in broken["error"]["message"]
    (tmp_path / "fetched").rmdir()
    gone = fetch(hub, tmp_path, "someone/texts")[-1]
    assert "someone/texts could not be downloaded" in gone["error"]["message"]


@pytest.mark.parametrize(
    ("files", "split", "chosen"),
    [
        (["train.jsonl", "test.jsonl"], "train", ["train.jsonl"]),
        (["train/1.parquet", "train/0.parquet", "test/0.parquet"], "train", ["train/0.parquet", "train/1.parquet"]),
        (["train.csv", "train.jsonl", "data/train-00000-of-00001-0123456789abcdef.parquet"], "train",
         ["data/train-00000-of-00001-0123456789abcdef.parquet"]),
        (["train.txt", "train.csv"], "train", ["train.csv"]),
        (["Train.CSV", "README.md"], "train", ["Train.CSV"]),
        (["train_sft-00000.parquet", "train_gen-00000.parquet"], "train_sft", ["train_sft-00000.parquet"]),
        (["small/train-0.parquet", "small/test-0.parquet", "large/train-0.parquet"], "small", ["small/train-0.parquet"]),
        (["stories.json.gz", "dataset_infos.json", ".hidden.json"], "train", ["stories.json.gz"]),
        (["b.txt", "a.txt", "LICENSE.txt", "requirements.txt", "test.txt"], "train", ["a.txt", "b.txt"]),
    ],
)  # fmt: skip
def test_the_files_of_a_split_are_found_by_their_names(files: list[str], split: str, chosen: list[str]) -> None:
    assert choose(files, split) == chosen


@pytest.mark.parametrize(
    ("files", "split", "reason", "hint"),
    [
        (["small/train.parquet", "large/train.parquet"], "train", "several sets: large/train, small/train", "large, small"),
        (
            ["train_sft-0.parquet", "train_gen-0.parquet"],
            "train",
            "several sets: train_gen, train_sft",
            "train_gen, train_sft",
        ),
        (["train-0.csv", "train-1.csv"], "train", "cannot be joined: train-0.csv, train-1.csv", "upload the one"),
        (["test.csv"], "train", "no split 'train'", "test"),
        (["model.safetensors", "x.py"], "train", "holds no file that can be read", ".parquet"),
    ],
)
def test_files_that_are_no_one_set_are_named(files: list[str], split: str, reason: str, hint: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        choose(files, split)
    assert hint in str(caught.value.hint)


def write_lines(suffix: str, lines: list[str]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path = path.with_name(path.name + suffix)
        data = "\n".join(lines).encode()  # without a newline at the end
        path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
        return path

    return write


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".json"])
def test_files_of_lines_are_joined_line_by_line(tmp_path: Path, suffix: str) -> None:
    def line(text: str) -> str:
        return text if "txt" in suffix else json.dumps({"text": text})

    parts = [["one", "two"], ["three"], ["four", "five"]]
    paths = [write_lines(suffix, [line(text) for text in part])(tmp_path / str(n)) for n, part in enumerate(parts)]
    joined = join(paths, tmp_path)
    assert os.listdir(tmp_path) == [f"data{suffix}"]
    kind = "txt" if "txt" in suffix else "jsonl"
    found = texts(joined, format=kind, compressed=suffix.endswith(".gz"), reading=Reading(text="text"))
    assert found == [text for part in parts for text in part]


def test_files_that_do_not_fit_together_are_not_joined(tmp_path: Path) -> None:
    lists = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in lists:
        path.write_text('[{"text": "x"}]')
    with pytest.raises(DataError, match=r"cannot be joined: a\.json, b\.json"):
        join(lists, tmp_path)
    write_parquet(tmp_path / "a.parquet", ["x"])
    parquet.write_table(pyarrow.table({"other": [1]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="do not fit together"):
        join([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path)
