"""How fast this machine trains, and what a worker takes before its model: measured once, in a process of its own.

``python -m worker.machine DEVICE PRECISION`` prints a Machine as JSON. That process is fresh as a worker is, so that its
memory holds nothing else; and when it ends, a GPU's memory is free again.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from worker.errors import DeviceError

if TYPE_CHECKING:
    import torch

_WIDTHS = (64, 256, 1024)
_NUMBERS = 1 << 21
_REPEATS = 5


class Machine(BaseModel):
    """``memory_bytes`` are in RAM once the libraries are loaded and a first pass was made. ``products`` are floating point
    operations a second of matrix products, by the width of the model. Other operations read and write ``bytes_per_s``, and
    each takes ``seconds_an_operation``, however little it has to do.
    """

    model_config = ConfigDict(frozen=True)

    memory_bytes: int
    products: dict[int, float]
    bytes_per_s: float
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


@cache
def machine(device: str, precision: str) -> Machine:
    """This machine, training on ``device``. The first time it takes some seconds. Raises DeviceError if that fails."""
    command = [sys.executable, "-m", "worker.machine", device, precision]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last_line = (done.stderr.strip() or "it ended without a word").splitlines()[-1]
        raise DeviceError(f"The speed of {device} could not be measured: {last_line}", "Try again when it is free.")
    return Machine.model_validate_json(done.stdout.splitlines()[-1])


def _measure(device: str, precision: str) -> Machine:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # see worker/__main__.py
    import torch

    import worker.trainer  # noqa: F401 - for what it takes
    from worker.forward import AUTOCAST
    from worker.model import build, quiet_libraries
    from worker.rehearsal import Counter
    from worker.usage import resident_bytes

    quiet_libraries()
    place, dtype = torch.device(device), AUTOCAST.get(precision, torch.float32)
    tokens = 512 if place.type == "cpu" else 8192  # a GPU needs that many to be busy
    model: Any = build("tiny", ["a story"]).model.to(place)
    text = torch.zeros(1, 8, dtype=torch.long, device=place)

    def train() -> None:
        with torch.autocast(place.type, dtype, enabled=precision in AUTOCAST):
            loss = model(input_ids=text, labels=text, use_cache=False).loss
        loss.backward()

    numbers = torch.ones(_NUMBERS, device=place, dtype=dtype, requires_grad=True)

    def move() -> None:
        (torch.nn.functional.gelu(numbers * numbers.detach(), approximate="tanh") + numbers).sum().backward()  # type: ignore[no-untyped-call]

    def multiply(width: int) -> None:
        inputs, weight, wide = (torch.ones(shape, device=place, dtype=dtype)
                                for shape in ((tokens, width), (width, 4 * width), (tokens, 4 * width)))  # fmt: skip
        for _ in range(_WIDTHS[-1] // width):  # one is over before a clock could tell
            (inputs @ weight, wide @ weight.T, inputs.T @ wide)

    seconds = _seconds(train, place)
    memory = resident_bytes() if place.type == "cpu" else 0
    with Counter([]) as counted:
        train()
    with Counter([]) as moving:
        move()
    flops = {width: 6 * tokens * 4 * width * _WIDTHS[-1] for width in _WIDTHS}
    return Machine(
        memory_bytes=memory,
        products={width: flops[width] / _seconds(partial(multiply, width), place) for width in _WIDTHS},
        bytes_per_s=moving.moved / _seconds(move, place),
        seconds_an_operation=seconds / counted.operations,
    )


def _seconds(work: Callable[[], None], device: Any) -> float:
    """How long ``work`` takes when it has been done before: the least of some times, as others may want the cores too."""
    import torch

    taken = []
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


if __name__ == "__main__":
    print(_measure(*sys.argv[1:]).model_dump_json())
