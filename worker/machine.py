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
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from worker.errors import DeviceError

if TYPE_CHECKING:
    import torch

_WIDTHS = (64, 256, 1024)
_NUMBERS = 1 << 21
_MANY_NUMBERS = 1 << 24  # so many that the C library does not keep their memory
_REPEATS = 5


class Machine(BaseModel):
    """``memory_bytes`` are in RAM once the libraries are loaded and a first pass was made. ``products`` are floating point
    operations a second of matrix products, by the width of the model, ``attention`` those within attention. Other
    operations read and write ``bytes_per_s``, and each takes ``seconds_an_operation``, however little it has to do;
    ``new_bytes_per_s`` are written into memory that the system has to hand out first. Clipping and AdamW update
    ``updates_per_s`` weights.
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
    from worker.model import quiet_libraries
    from worker.rehearsal import Counter
    from worker.usage import resident_bytes

    quiet_libraries()
    place, dtype = torch.device(device), AUTOCAST.get(precision, torch.float32)
    train = _training(place, dtype)
    seconds = _seconds(train, place)
    memory = resident_bytes() if place.type == "cpu" else 0
    move = _moving(place, dtype)
    with Counter([]) as counted:
        train()
    with Counter([]) as moving:
        move()
    return Machine(
        memory_bytes=memory,
        products={width: _flops_per_s(width, place, dtype) for width in _WIDTHS},
        attention=_attention_flops_per_s(place, dtype),
        bytes_per_s=moving.moved / _seconds(move, place),
        new_bytes_per_s=4 * _MANY_NUMBERS / _seconds(_filling(place), place),
        updates_per_s=_MANY_NUMBERS / _seconds(_updating(place), place),
        seconds_an_operation=seconds / counted.operations,
    )


def _training(place: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """A pass of a model with hardly anything to compute."""
    import torch

    from worker.model import build

    model: Any = build("tiny", ["a story"]).model.to(place)
    text = torch.zeros(1, 8, dtype=torch.long, device=place)

    def train() -> None:
        with torch.autocast(place.type, dtype, enabled=dtype != torch.float32):
            loss = model(input_ids=text, labels=text, use_cache=False).loss
        loss.backward()

    return train


def _moving(place: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """What lies between the products of a model."""
    import torch

    numbers = torch.ones(_NUMBERS, device=place, dtype=dtype, requires_grad=True)

    def move() -> None:
        (torch.nn.functional.gelu(numbers * numbers.detach(), approximate="tanh") + numbers).sum().backward()  # type: ignore[no-untyped-call]

    return move


def _filling(place: torch.device) -> Callable[[], object]:
    import torch

    return lambda: torch.empty(_MANY_NUMBERS, device=place).fill_(1)


def _updating(place: torch.device) -> Callable[[], object]:
    import torch

    from worker.optimization import make_optimizer

    side = math.isqrt(_MANY_NUMBERS)
    layer = torch.nn.Linear(side, side, bias=False, device=place)
    layer.weight.grad = torch.zeros_like(layer.weight)
    optimizer = make_optimizer(layer, learning_rate=1e-3, weight_decay=0.1)

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()

    return update


def _flops_per_s(width: int, place: torch.device, dtype: torch.dtype) -> float:
    """Of the products in a feed-forward layer of this width, forward and back."""
    import torch

    tokens = 512 if place.type == "cpu" else 8192  # a GPU needs that many to be busy
    count = _WIDTHS[-1] // width  # so many that a clock can tell how long they take; others each time, as layers are
    shapes = (tokens, width), (width, 4 * width), (tokens, 4 * width)
    layers = [tuple(torch.ones(shape, device=place, dtype=dtype) for shape in shapes) for _ in range(count)]

    def multiply() -> None:
        for inputs, weight, wide in layers:
            (inputs @ weight, wide @ weight.T, inputs.T @ wide)

    return 6 * tokens * width * 4 * width * count / _seconds(multiply, place)


def _attention_flops_per_s(place: torch.device, dtype: torch.dtype) -> float:
    """In texts of a common length, forward and back. What a causal mask spares counts as done, as in worker.rehearsal."""
    import torch

    shape = texts, heads, tokens, width = 4, 8, 128, 64
    query, key, value = (torch.ones(shape, device=place, dtype=dtype, requires_grad=True) for _ in range(3))

    def attend() -> None:
        torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True).sum().backward()  # type: ignore[no-untyped-call]

    products = 7  # two forward, five back
    return products * 2 * texts * heads * tokens * tokens * width / _seconds(attend, place)


def _seconds(work: Callable[[], object], place: torch.device) -> float:
    """How long ``work`` takes when it has been done before: the least of some times, as others may want the cores too."""
    import torch

    taken = []
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        work()
        if place.type != "cpu":
            torch.accelerator.synchronize(place)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


if __name__ == "__main__":
    print(_measure(*sys.argv[1:]).model_dump_json())
