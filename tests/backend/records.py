"""Runs without a worker: a real database and real run directories, filled by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.db.database import Database
from backend.processes.worker import boot_id
from backend.runs import lifecycle
from backend.runs.jobs import write_job
from backend.series import curves
from backend.settings import Settings
from worker.contract import (
    EVENTS_FILE,
    CheckpointEvent,
    DatasetSource,
    EvaluationEvent,
    Job,
    ModelSource,
    RunConfig,
    SampleEvent,
    StatusEvent,
    StepEvent,
    encode,
    now,
)


def story(steps: int = 20) -> list[Any]:
    """The events of a whole run, numbered; the loss at step 7 is NaN."""
    events: list[Any] = [
        StatusEvent(phase="preparing"),
        StatusEvent(phase="training", total_steps=steps, precision="fp32", parameters=1000, train_examples=90),
        EvaluationEvent(step=0, epoch=0, loss=7.0, perplexity=1096.6, best=True),
        SampleEvent(step=0, prompt="Once", text=" \u2028 <script>alert(1)</script>\n"),
    ]
    for step in range(1, steps + 1):
        bad = step == 7
        events.append(
            StepEvent(
                step=step,
                epoch=step / 10,
                loss=None if bad else 7 - step / 10,
                lr=1e-3,
                grad_norm=1.0,
                tokens=100 * step,
                tokens_per_s=1000.0,
                step_ms=100.0,
                nonfinite=["loss"] if bad else [],
            )
        )
        if step % 10 == 0:
            events.append(EvaluationEvent(step=step, epoch=step / 10, loss=7 - step / 10, perplexity=2.0, best=True))
            events.append(CheckpointEvent(step=step, path=f"checkpoints/step-{step:06}", bytes=10, kind="periodic"))
    events.append(StatusEvent(phase="completed"))
    for seq, event in enumerate(events, 1):
        event.seq, event.time = seq, now()
    return events


def going_on(seq: int, after: int, steps: int) -> list[Any]:
    """What a later worker reports that goes on after update ``after``; its losses are 0.5 lower than the first story's."""
    events: list[Any] = [StatusEvent(phase="preparing"), StatusEvent(phase="training", resumed_step=after, total_steps=20)]
    for event in story(steps):
        if getattr(event, "step", 0) > after and not isinstance(event, CheckpointEvent):
            lower = {"loss": event.loss - 0.5} if getattr(event, "loss", None) is not None else {}
            events.append(event.model_copy(update=lower))
    for number, event in enumerate(events, seq):
        event.seq, event.time = number, now()
    return events


class Records:
    """A data directory without a server."""

    def __init__(self, data_dir: Path) -> None:
        self.settings = Settings(data_dir=data_dir)
        self.settings.runs_dir.mkdir(parents=True, exist_ok=True)
        self.database = Database(self.settings.database)
        self.database.migrate(curves.catch_up)

    def add(self, *path: lifecycle.Status, name: str = "a run") -> str:
        """A new run, led along these statuses."""
        run_id = lifecycle.new_id()
        config = RunConfig(name=name, learning_rate=1e-3, max_length=256)
        directory = self.directory(run_id)
        directory.mkdir()
        source = ModelSource(kind="built_in", location="tiny")
        write_job(
            directory, Job(run_id=run_id, config=config, model=source, dataset=DatasetSource(path="/nowhere"), device="cpu")
        )
        with self.database.write() as connection:
            lifecycle.create(connection, run_id, name, config, None)
            for status in path:
                assert lifecycle.transition(connection, run_id, status)
            connection.exec_driver_sql("UPDATE runs SET device = 'cpu', boot_id = ? WHERE id = ?", (boot_id(), run_id))
        return run_id

    def directory(self, run_id: str) -> Path:
        return self.settings.runs_dir / run_id

    def append(self, run_id: str, *events: Any) -> None:
        with (self.directory(run_id) / EVENTS_FILE).open("ab") as file:
            for event in events:
                file.write(event if isinstance(event, bytes) else encode(event))

    def status(self, run_id: str) -> str:
        with self.database.read() as connection:
            return str(lifecycle.row(connection, run_id).status)

    def events(self, run_id: str) -> list[tuple[Any, ...]]:
        """(seq, type) of each row, in order."""
        with self.database.read() as connection:
            query = "SELECT seq, type FROM events WHERE run_id = ? ORDER BY cursor"
            return [tuple(row) for row in connection.exec_driver_sql(query, (run_id,))]
