"""How fast this machine trains, and what a worker takes before its model: measured in a process of its own.

That process (worker.preflight.benchmark) is fresh as a worker is, so that its memory holds nothing else; and when it ends,
a GPU's memory is free again.
"""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from worker.errors import DeviceError

if TYPE_CHECKING:
    import torch

_A_DAY = 24 * 3600  # seconds; others may have used the machine while it was measured
_BENCHMARK = Path(__file__).parents[1] / "preflight" / "benchmark.py"


class Machine(BaseModel):
    """``memory_bytes`` are in RAM once the libraries are loaded and a first pass was made. ``products`` are floating point
    operations a second of matrix products, by the width of the model, ``attention`` those within attention. Other
    operations read and write ``bytes_per_s``, and each takes ``seconds_an_operation``, however little it has to do;
    ``new_bytes_per_s`` are written into large tensors that are made anew. Clipping and AdamW update ``updates_per_s``
    weights.
    """

    model_config = ConfigDict(frozen=True)

    memory_bytes: int
    products: dict[int, float]
    attention: float
    bytes_per_s: float
    new_bytes_per_s: float
    updates_per_s: float
    seconds_an_operation: float

    def flops_per_s(self, width: int) -> float:
        """Of the products in a model of this ``width``, between those that were measured."""
        known = sorted(self.products)
        width = min(max(width, known[0]), known[-1])
        below = max(place for place in known if place <= width)
        above = min(place for place in known if place >= width)
        share = math.log(width / below) / math.log(above / below) if above > below else 0.0
        return self.products[below] * (1 - share) + self.products[above] * share


def name_of(device: torch.device) -> str:
    """What ``machine`` calls it: a GPU by its number, as they may differ."""
    return device.type if device.type == "cpu" else str(device)


def machine(device: str, precision: str) -> Machine:
    """This machine, training on ``device``. It is measured once a day, which takes some seconds. Raises DeviceError if that
    fails."""
    file = _file(device, precision)
    kept = _kept(file)
    if kept is None:
        kept = _measured(device, precision)
        with suppress(OSError):  # a full disk, or a home that cannot be written to: then it is measured anew
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(f".{os.getpid()}")
            temporary.write_text(kept.model_dump_json(), encoding="utf-8")
            temporary.replace(file)
    return kept


def _file(device: str, precision: str) -> Path:
    """Where the measurement is kept of these devices, with these libraries and as many threads."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    threads = os.environ.get("OMP_NUM_THREADS"), os.cpu_count()
    libraries = version("torch"), version("transformers"), _BENCHMARK.read_bytes()
    told = repr((device, precision, visible, threads, platform.node(), platform.processor(), libraries))
    return platformdirs.user_cache_path("trainboard") / f"speed-{sha256(told.encode()).hexdigest()[:16]}.json"


def _kept(file: Path) -> Machine | None:
    try:
        fresh = time.time() - file.stat().st_mtime < _A_DAY
        return Machine.model_validate_json(file.read_bytes()) if fresh else None
    except (OSError, ValidationError):
        return None


def _measured(device: str, precision: str) -> Machine:
    command = [sys.executable, "-m", "worker.preflight.benchmark", device, precision]
    environment = {"GOMP_SPINCOUNT": "3000", **os.environ}  # as a worker's: see worker/startup.py
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last_line = (done.stderr.strip() or "it ended without a word").splitlines()[-1]
        raise DeviceError(f"The speed of {device} could not be measured: {last_line}", "Try again when it is free.")
    return Machine.model_validate_json(done.stdout.splitlines()[-1])
