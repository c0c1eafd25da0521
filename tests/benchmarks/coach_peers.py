"""losslint on the same logs: it gets each run as a CSV of losses, learning rates and gradient norms."""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.coach_runs import events

PROGRAM = Path(".venv-peers/bin/losslint")

NAMES = {
    "learning rate × 30": {"divergence", "nan_inf"},
    "no warmup, high rate": {"divergence", "nan_inf"},
    "learning rate ÷ 100": {"stagnation"},
    "shuffled targets": {"stagnation"},
    "frozen weights": {"stagnation"},
    "fp16 underflow": {"stagnation"},
    "one bad row in 2,000": {"loss_spike"},
    "20 lines, 60 epochs": {"overfit_onset"},
}
"""Cause → what losslint has to say for it to count as named: the most that its checks can be taken to mean."""

_COLUMNS = ("step", "loss", "eval_loss", "lr", "grad_norm")


class Said(NamedTuple):
    """The checks that found something in a log: ``warned`` as a warning or an error, ``all_checks`` also as information."""

    warned: set[str]
    all_checks: set[str]


def losslint(kept: Sequence[Path]) -> dict[str, Said]:
    """By the name of each log's folder. Raises OSError if losslint is not installed beside us."""
    with tempfile.TemporaryDirectory() as folder:
        for log in kept:
            _write_table(log, Path(folder) / f"{log.name}.csv")
        command = [PROGRAM.absolute(), "check", folder, "--format", "json"]
        told = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)["findings"]
    said = {log.name: Said(set(), set()) for log in kept}
    for found in told:
        of = said[Path(found["source"]).stem]
        of.all_checks.add(found["check"])
        if found["severity"] != "info":
            of.warned.add(found["check"])
    return said


def _write_table(log: Path, path: Path) -> None:
    rows: dict[int, dict[str, Any]] = {}
    for event in events(log):
        row = rows.setdefault(event.get("step", 0), {"step": event.get("step", 0)})
        if event["type"] == "step":
            lost = dict.fromkeys(event["nonfinite"], "nan")
            row |= {name: event[name] for name in ("loss", "lr", "grad_norm")} | lost
        elif event["type"] == "evaluation":
            row["eval_loss"] = event["loss"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows[step] for step in sorted(rows))
