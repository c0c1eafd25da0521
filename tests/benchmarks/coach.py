"""``make bench-coach``: what the coach says of runs with a planted cause, and of healthy ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.coach_causes import healthy, planted
from tests.benchmarks.coach_runs import log_of

LOGS = Path("data/bench-coach")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, default=LOGS, help="where runs are kept, so that each is made once")
    parser.add_argument("--only", default="", help="runs whose name begins so")
    arguments = parser.parse_args()
    todo = [spec for _, spec in planted()] + list(healthy())
    for spec in todo:
        if spec.name.startswith(arguments.only):
            log_of(spec, arguments.logs)
            print(spec.key, flush=True)


if __name__ == "__main__":
    main()
