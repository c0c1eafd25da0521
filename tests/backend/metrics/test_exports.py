"""A run as files: what they say is what its events say, row by row; TensorBoard itself reads what is written for it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from backend.db import tables
from backend.db.times import seconds
from backend.metrics import exports, tensorboard
from backend.runs.tailer import Tailer
from tests.backend.records import Records, going_on, story
from tests.serving import Server
from worker.contract import EvaluationEvent, SystemEvent, now

NAME = 'fox/../"quoted" <b>ü €'


@pytest.fixture
def run_id(records: Records) -> str:
    """A run that was cut off after update 20 and went on from update 10; NaN at step 7, and now and then at others."""
    run_id = records.add("starting", "running", name=NAME)
    first = story(20)[:-1]
    records.append(run_id, *first, *going_on(len(first) + 1, 10, 20))
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    return run_id


@pytest.fixture
def served(records: Records, run_id: str, start_server: Callable[..., Server]) -> Server:
    return start_server(data_dir=records.settings.data_dir)


def add_system(records: Records, run_id: str, step: int, **values: Any) -> None:
    """A sample of the system, as if a worker had told it."""
    event = {"type": "system", "step": step, "time": "2026-01-01T00:00:00.000000Z", **values}
    with records.database.write() as connection:
        connection.execute(
            insert(tables.events).values(run_id=run_id, type="system", step=step, data=json.dumps(event)),
        )


def rows(records: Records, run_id: str) -> list[dict[str, Any]]:
    return list(itertools.chain.from_iterable(exports.rows(exports.events(records.database, run_id))))


def test_a_row_per_step_with_the_last_word_on_each(records: Records, run_id: str) -> None:
    found = rows(records, run_id)
    assert [row["step"] for row in found] == list(range(21)), "what was made again stands there once"
    assert found[0] == {
        "step": 0, "time": found[0]["time"], "epoch": 0, "validation_loss": 7.0, "perplexity": 1096.6, "nonfinite": [],
    }  # fmt: skip
    assert (found[7]["loss"], found[7]["nonfinite"]) == (None, ["loss"])
    assert [found[step]["loss"] for step in (9, 10, 11, 20)] == pytest.approx([6.1, 6.0, 5.4, 4.5])
    assert (found[20]["validation_loss"], found[20]["tokens"]) == (pytest.approx(4.5), 2000)


@pytest.mark.parametrize("kind", ["system", "evaluation"])
def test_a_loss_that_is_no_number_outlives_what_else_falls_on_its_step(records: Records, kind: str) -> None:
    run_id = records.add("starting", "running")
    first = story(20)[:-1]
    found = next(number for number, event in enumerate(first) if event.type == "step" and event.step == 7)
    other = {
        "system": SystemEvent(step=7, cpu_percent=50, memory_bytes=1, disk_free_bytes=1),
        "evaluation": EvaluationEvent(step=7, epoch=1, loss=2.0, perplexity=7.4, best=True),
    }[kind]
    events = [*first[: found + 1], other, *first[found + 1 :]]
    for number, event in enumerate(events, 1):
        event.seq, event.time = number, now()
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    row = rows(records, run_id)[7]
    assert (row["loss"], row["nonfinite"]) == (None, ["loss"])
    lines = b"".join(exports.csv([[row]], ["step", "loss", "cpu_percent", "validation_loss"])).decode().splitlines()
    assert lines[1].startswith("7,nan,")


def test_rows_are_the_same_however_the_events_are_cut(records: Records, run_id: str, monkeypatch) -> None:
    whole = rows(records, run_id)
    for batch in (1, 2, 7):
        monkeypatch.setattr(exports, "BATCH", batch)
        assert rows(records, run_id) == whole


def test_csv_and_json_lines_over_http(served: Server, records: Records, run_id: str) -> None:
    answer = served.client.get(f"/api/runs/{run_id}/files/metrics.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="fox-quoted-b-u-metrics.csv"'
    table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(table[0]) == exports.columns(records.database, run_id)
    assert "cpu_percent" not in table[0], "the system was not sampled"
    assert (table[0]["loss"], table[0]["validation_loss"]) == ("", "7.0")
    assert (table[7]["loss"], table[7]["grad_norm"]) == ("nan", "1.0")
    lines = served.client.get(f"/api/runs/{run_id}/files/metrics.jsonl")
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    parsed = [json.loads(line) for line in lines.text.splitlines()]
    assert len(parsed) == len(table) == 21
    for row, cells in zip(parsed, table, strict=True):
        assert set(row) == {*cells, "nonfinite"}
        for name, cell in cells.items():
            assert cell == ("nan" if name in row["nonfinite"] else "" if row[name] is None else str(row[name]))


def test_samples_of_the_system_have_columns_and_a_late_one_belongs_to_the_open_row(records: Records, run_id: str) -> None:
    add_system(records, run_id, 20, cpu_percent=50.0, memory_bytes=1000, gpu_power=None)
    add_system(records, run_id, 19, cpu_percent=60.0, memory_bytes=2000)
    assert "gpu_temperature" in exports.columns(records.database, run_id)
    last = rows(records, run_id)[-1]
    assert (last["step"], last["loss"], last["cpu_percent"], last["memory_bytes"]) == (20, pytest.approx(4.5), 60.0, 2000)


def test_the_log_as_it_is_without_a_line_that_is_being_written(served: Server, records: Records, run_id: str) -> None:
    path = records.directory(run_id) / "events.jsonl"
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"seq": 99, "type": "st')
    answer = served.client.get(f"/api/runs/{run_id}/files/events.jsonl")
    assert answer.content == whole
    assert answer.headers["content-disposition"] == 'attachment; filename="fox-quoted-b-u-events.jsonl"'
    path.unlink()
    assert served.client.get(f"/api/runs/{run_id}/files/events.jsonl").content == b""


def test_complete_lines_of_long_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(exports, "CHUNK_BYTES", 4)
    path = tmp_path / "log"
    for content, complete in (
        (b"", b""),
        (b"abcdefgh", b""),
        (b"ab\ncdefghijkl", b"ab\n"),
        (b"abcdefghi\n", b"abcdefghi\n"),
    ):
        path.write_bytes(content)
        assert b"".join(exports.complete_lines(path)) == complete


@pytest.mark.parametrize("file", ["metrics.csv", "metrics.jsonl", "events.jsonl", "tensorboard", "report.html"])
def test_no_such_run(shared_server: Server, file: str) -> None:
    assert shared_server.client.get(f"/api/runs/20260101-000000-0000/files/{file}").status_code == 404


def test_no_such_file(shared_server: Server) -> None:
    answer = shared_server.client.get("/api/runs/20260101-000000-0000/files/metrics.xlsx")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "form")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My run #2", "My-run-2-x"),
        ("../../etc", "etc-x"),
        ("模型", "id-x"),
        ("a" * 200, "a" * 60 + "-x"),
        ("x\r\ny", "x-y-x"),
    ],
)
def test_file_names_are_safe(name: str, expected: str) -> None:
    assert exports.file_name(name, "id", "x") == expected


def test_tensorboard_reads_what_the_series_say(served: Server, records: Records, run_id: str, tmp_path: Path) -> None:
    add_system(records, run_id, 20, cpu_percent=50.0, memory_bytes=1000, gpu_power=None)
    answer = served.client.get(f"/api/runs/{run_id}/files/tensorboard")
    name = answer.headers["content-disposition"].split('"')[1]
    assert name.startswith("events.out.tfevents.")
    assert name.endswith(".trainboard")
    path = tmp_path / "logs" / name
    path.parent.mkdir()
    path.write_bytes(answer.content)

    read = EventAccumulator(str(path.parent), size_guidance={"scalars": 0, "tensors": 0})
    read.Reload()
    expected = rows(records, run_id)
    for column, tag in {
        **{name: f"train/{name}" for name in ("loss", "lr", "grad_norm", "tokens", "tokens_per_s", "step_ms")},
        **{"validation_loss": "validation/loss", "perplexity": "validation/perplexity"},
        **{"cpu_percent": "system/cpu_percent", "memory_bytes": "system/memory_bytes"},
    }.items():
        scalars = read.Scalars(tag)
        told = [row for row in expected if row.get(column) is not None or column in row["nonfinite"]]
        assert [scalar.step for scalar in scalars] == [row["step"] for row in told]
        values = [math.nan if row[column] is None else row[column] for row in told]
        np.testing.assert_array_equal([scalar.value for scalar in scalars], np.float32(values))
    assert "system/gpu_power" not in read.Tags()["scalars"]
    assert math.isnan(next(scalar.value for scalar in read.Scalars("train/loss") if scalar.step == 7))
    events = list(EventFileLoader(str(path)).Load())
    times = {event.step: event.wall_time for event in events if any(v.tag == "train/loss" for v in event.summary.value)}
    assert times[11] == pytest.approx(seconds(expected[11]["time"]), abs=1e-6)
    texts = {tag: [tensor_util.make_ndarray(one.tensor_proto).item().decode() for one in read.Tensors(tag)]
             for tag in ("run/config", "samples/1")}  # fmt: skip
    assert '"learning_rate": 0.001' in texts["run/config"][0]
    assert texts["samples/1"][0] == "    Once \u2028 <script>alert(1)</script>\n    "
    assert read.SummaryMetadata("samples/1").plugin_data.plugin_name == "text"


def test_numbers_beyond_four_bytes_are_infinite(tmp_path: Path) -> None:
    event = {"type": "evaluation", "time": "2026-01-01T00:00:00.000000Z", "step": 2**40, "loss": 100.0, "perplexity": 2.7e43}
    path = tmp_path / "events.out.tfevents.1.trainboard"
    path.write_bytes(b"".join(tensorboard.event_file([[event]], event["time"], {})))
    read = EventAccumulator(str(path))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("validation/perplexity")] == [(2**40, math.inf)]
