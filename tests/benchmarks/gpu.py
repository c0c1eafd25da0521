"""``make check-gpu``: does all that differs on a GPU do what it does on a CPU, and how fast? In under eight minutes.

    python -m tests.benchmarks.gpu [--seconds 440] [--out TABLE.md] [PART ...]

Needs the worker's own packages and no network. Without a GPU it runs the same checks in small form. Each check is printed
as it ends; a part that breaks is told and costs no other; what no longer fits into the time is named. Exit code 1 if one is
bad.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.benchmarks.gpu_checks import PARTS
from tests.benchmarks.gpu_runs import DEVICE, Bench


def main(arguments: list[str]) -> int:
    """Runs the parts and returns the exit code."""
    parser = argparse.ArgumentParser(description="Checks what differs on a GPU.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seconds", type=float, default=440, help="time after which no check begins")
    parser.add_argument("--out", type=Path, help="file for the table")
    wanted = parser.parse_args(arguments)
    deadline = time.monotonic() + wanted.seconds
    rows = [f"On {machine()}.", "", "| check | | figures |", "|---|---|---|"]
    print(rows[0], flush=True)
    bench, bad = Bench(), 0
    try:
        for part in wanted.parts or PARTS:
            for right, name, figures in checked(part, bench, deadline):
                bad += right is False
                verdict = {True: "OK", False: "BAD", None: "not tried"}[right]
                rows.append(f"| {name} | {verdict} | {shown(figures)} |")
                print(f"{verdict:9} {name}: {shown(figures)}", flush=True)
                if wanted.out:
                    wanted.out.write_text("\n".join(rows) + "\n", encoding="utf-8")
    finally:
        bench.close()
    print("\n" + "\n".join(rows), flush=True)
    return int(bad > 0)


def checked(part: str, bench: Bench, deadline: float) -> Any:
    """The checks of a part; one that breaks off is a bad check, and None stands for those that time is too short for."""
    began = time.monotonic()
    if began > deadline:
        yield None, part, {"why": "the time was up"}
        return
    try:
        for check in PARTS[part](bench):
            yield check
            if time.monotonic() > deadline:
                yield None, f"the rest of {part}", {"why": "the time was up"}
                return
    except Exception as error:  # noqa: BLE001 - it is told, and the other parts are worth knowing
        traceback.print_exc(limit=-4)
        yield False, part, {"broke": f"{type(error).__name__}: {str(error)[:200]}"}
    print(f"-- {part}: {time.monotonic() - began:.0f} s", flush=True)


def machine() -> str:
    """What the figures are of."""
    card = "a CPU"
    if DEVICE == "cuda":
        card = (
            f"{torch.cuda.get_device_name()} (compute capability {'.'.join(map(str, torch.cuda.get_device_capability()))})"
        )
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    return f"{card}, {versions}"


def shown(figures: dict[str, Any]) -> str:
    told = (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items())
    return ", ".join(told).replace("\n", " ").replace("|", "/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
