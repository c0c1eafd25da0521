"""Does the advice help? Runs with a wrong setting, and their forks with the fix that the coach offers, all through the API.

    python -m tests.benchmarks.coach_fixes [SEED …]

Printed for each: whether the finding is gone in the fork, and the fork's last validation loss by the run's.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.coach_causes import CAUSES, planted
from tests.benchmarks.coach_data import KINDS
from tests.benchmarks.coach_runs import Spec
from tests.serving import Server


class Outcome(NamedTuple):
    """``fix``: what was changed, null if nothing was found or the finding has none; ``after``: what is found in the fork."""

    cause: str
    seed: int
    found: str | None
    fix: dict[str, Any] | None
    before: float | None
    after: float | None
    left: list[str]

    @property
    def line(self) -> str:
        """For people."""
        name = f"{self.cause} (seed {self.seed})"
        if self.found is None:
            return f"{name}: not found"
        if self.fix is None:
            return f"{name}: {self.found}, which no setting mends"
        gone = "still there" if self.found in self.left else "gone"
        ratio = f"{self.after / self.before:.3f}" if self.before and self.after else f"{self.before} → {self.after}"
        return f"{name}: {self.found}, fix {json.dumps(self.fix)}: {gone}, validation loss × {ratio}"


def by_settings() -> list[tuple[str, Spec]]:
    """The causes that are a setting, which a fork can mend, and lie neither in the data nor in the worker."""
    return [(name, spec) for name, spec in planted() if not spec.changed and not spec.planted]


def tried(server: Server, name: str, spec: Spec) -> Outcome:
    """The run of ``spec``, and its fork with the first fix that is offered for the cause."""
    rows = KINDS[spec.kind](random.Random(f"{spec.kind} {spec.seed}"), spec.rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    dataset = server.client.post("/api/datasets", files={"file": ("rows.jsonl", lines)}).json()["id"]
    run = server.end(server.create(**{"sample_prompts": [], "model_name": "tiny", **spec.config, "dataset": dataset})["id"])
    # The cause itself before what follows from it: a run of few rows is mended by what is found of its overfitting.
    findings = sorted(found(server, run["id"]), key=lambda one: one["rule"] not in CAUSES[name].rules)
    named = next((one for one in findings if one["fix"]), findings[0] if findings else None)
    if named is None or not named["fix"]:
        return Outcome(name, spec.seed, named["rule"] if named else None, None, None, None, [])
    fix = named["fix"]
    made = server.client.post(f"/api/runs/{run['id']}/fork", json={"changes": fix})
    assert made.status_code == 201, made.text
    fork = server.end(made.json()["id"])
    left = [one["rule"] for one in found(server, fork["id"])]
    return Outcome(name, spec.seed, named["rule"], fix, run["validation_loss"], fork["validation_loss"], left)


def found(server: Server, run_id: str) -> list[dict[str, Any]]:
    """What the coach finds of a run."""
    items: list[dict[str, Any]] = server.client.get(f"/api/runs/{run_id}/findings").json()["items"]
    return items


def main(seeds: list[int]) -> None:
    """Prints a line for each run, as it ends."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        try:
            for name, spec in by_settings():
                if spec.seed in seeds and spec.kind in ("stories", "prose", "code"):
                    print(tried(server, name, spec).line, flush=True)
        finally:
            server.stop()
            server.kill_workers()


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [0])
