"""``trainboard lint``: the same verdict whatever the log's format, as its own writers write it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from transformers import TrainerState

from backend.__main__ import main
from backend.coach.event_files import BrokenFileError, scalars
from backend.coach.logs import UnreadableLogError, read_log
from tests.backend.coach.told import falling
from worker.contract import EVENTS_FILE, JOB_FILE, DatasetSource, Job, ModelSource, RunConfig

UPDATES = 120
HEALTHY = [float(loss) for loss in falling(UPDATES)]
TURNED = {0: 7.0, 40: 3.0, 80: 3.6, 120: 4.4}
RISING = [*HEALTHY[:60], *np.linspace(HEALTHY[59], 6.5, 60).tolist()]
BROKEN = [*HEALTHY[:60], float("nan")]


def own_log(folder: Path, loss: list[float]) -> Path:
    path = folder / EVENTS_FILE
    lines = [{"type": "status", "phase": "training", "total_steps": len(loss)}]
    for step, value in enumerate(loss, start=1):
        lost = [] if value == value else ["loss"]
        lines.append({"type": "step", "step": step, "epoch": step / 40, "loss": None if lost else value, "nonfinite": lost})
    path.write_text("".join(json.dumps({"seq": seq, **line}) + "\n" for seq, line in enumerate(lines, start=1)))
    return path


def trainer_state(folder: Path, loss: list[float]) -> Path:
    state = TrainerState(max_steps=len(loss), global_step=len(loss))
    for step, value in enumerate(loss, start=1):
        state.log_history.append({"loss": value, "grad_norm": 1.0, "learning_rate": 1e-3, "epoch": step / 40, "step": step})
    state.log_history.append({"train_runtime": 10.0, "train_loss": 9.0, "step": len(loss)})
    state.save_to_json(str(folder / "trainer_state.json"))
    return folder / "trainer_state.json"


def table(folder: Path, loss: list[float]) -> Path:
    path = folder / "metrics.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Step", "Train Loss", "note"])
        writer.writerows([step, value, "x"] for step, value in enumerate(loss, start=1))
    return path


def event_file(folder: Path, loss: list[float]) -> Path:
    writer = EventFileWriter(str(folder / "train"))
    for step, value in enumerate(loss, start=1):
        tensor = TensorProto(dtype=1, tensor_content=np.float32(1e-3).tobytes())
        values = [Summary.Value(tag="loss", simple_value=value), Summary.Value(tag="lr", tensor=tensor)]
        writer.add_event(Event(step=step, wall_time=1.0 + step, summary=Summary(value=values)))
    writer.close()
    return folder


WRITERS: list[Callable[[Path, list[float]], Path]] = [own_log, trainer_state, table, event_file]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("loss", "status", "rule"), [(HEALTHY, 0, "learning"), (RISING, 1, "rising"), (BROKEN, 2, "nonfinite")]
)
def test_each_format_gets_the_same_verdict_and_status(
    write: Callable[[Path, list[float]], Path],
    loss: list[float],
    status: int,
    rule: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, loss)
    assert main(["lint", str(path)]) == status
    said = capsys.readouterr().out
    assert f": {rule}, step" in said
    record = read_log(path)
    assert record.step == len(loss)
    assert record.loss.mean[:60] == pytest.approx(loss[:60], rel=1e-6)
    assert record.peak_rate == (pytest.approx(1e-3) if write in (trainer_state, event_file) else None)


def test_settings_that_lie_beside_our_log_count(tmp_path: Path) -> None:
    job = Job(
        run_id="run",
        config=RunConfig(validation_split=0.0),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path="x"),
    )
    (tmp_path / JOB_FILE).write_text(job.model_dump_json())
    own_log(tmp_path, HEALTHY)
    assert main(["lint", str(tmp_path)]) == 1, "no example is kept aside"


def test_evaluations_are_known_by_their_usual_names(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for name in ("eval_loss", "val/loss", "Validation Loss", "eval/loss"):
        rows = [f"{step},{loss},{TURNED.get(step, '')}" for step, loss in enumerate(HEALTHY, start=1)]
        path.write_text("\n".join([f"global_step,loss,{name}", *rows]))
        tested = [(one["step"], one["loss"]) for one in read_log(path).evaluations]
        assert tested == [(40, 3.0), (80, 3.6), (120, 4.4)]


def test_a_log_of_a_run_that_still_writes_is_read_up_to_there(tmp_path: Path) -> None:
    own = own_log(tmp_path, HEALTHY)
    own.write_bytes(own.read_bytes()[:-20])
    assert read_log(own).step == UPDATES - 1
    file = next(event_file(tmp_path / "board", HEALTHY).rglob("*tfevents*"))
    file.write_bytes(file.read_bytes()[:-5])
    assert read_log(file).step == UPDATES - 1


def test_a_damaged_event_file_is_refused(tmp_path: Path) -> None:
    file = next(event_file(tmp_path, HEALTHY).rglob("*tfevents*"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x40
    file.write_bytes(content)
    with pytest.raises(BrokenFileError):
        list(scalars(file))
    with pytest.raises(UnreadableLogError, match="byte"):
        read_log(file)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing", None, "cannot be read"),
        ("empty.csv", b"", "is empty"),
        ("odd.csv", b"a,b\n1,2\n", "has no losses"),
        ("header.csv", b"step,loss\n", "has no losses"),
        ("state.json", b'{"log_history": 3}', "has no list log_history"),
        ("state.json", b"{}", "has no list log_history"),
        ("events.jsonl", b'{"type": "step", "step": 1, "loss": 2.0}\nnonsense\n{"type": "x"}\n', "line 2"),
        ("events.jsonl", b'{"type": "step"}\n{"type": "x"}\n', "line 1"),
        ("picture.png", b"\x89PNG\xff\xfe", "neither text nor"),
        ("events.out.tfevents.1", b"x" * 40, "no record"),
    ],
)
def test_what_cannot_be_read_says_why(
    name: str, content: bytes | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path: Any = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert main(["lint", str(path)]) == 3
    said = capsys.readouterr().err
    assert why in said
    assert str(path) in said
