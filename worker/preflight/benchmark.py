"""How fast this machine does what training is made of.

``python -m worker.preflight.benchmark DEVICE PRECISION`` prints a Machine.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

import worker.training.trainer  # noqa: F401 - for the memory it takes
from worker.devices.c_library import keep_freed_memory
from worker.devices.machine import Machine
from worker.devices.memory_usage import resident_bytes
from worker.devices.precision import AUTOCAST
from worker.models.loading import build, quiet_libraries
from worker.preflight.tracing import Counter
from worker.training.optimizer import make_optimizer

_WIDTHS = (64, 256, 1024)
_NUMBERS = {"cpu": 1 << 21, "cuda": 1 << 26}  # a GPU's caches hold fewer, and its time is no longer that of telling it
_TEXTS = {"cpu": 4, "cuda": 128}
_MANY_NUMBERS = 1 << 24  # so many that no cache holds them
_REPEATS = 5


def measure(device: str, precision: str) -> Machine:
    quiet_libraries()
    place, dtype = torch.device(device), AUTOCAST.get(precision, torch.float32)
    if place.type == "cpu":
        keep_freed_memory()  # as a run does
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
    model: Any = build("tiny", ["a story"]).model.to(place)
    text = torch.zeros(1, 8, dtype=torch.long, device=place)

    def train() -> None:
        with torch.autocast(place.type, dtype, enabled=dtype != torch.float32):
            loss = model(input_ids=text, labels=text, use_cache=False).loss
        loss.backward()

    return train


def _moving(place: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """What lies between the products of a model."""
    numbers = torch.ones(_NUMBERS.get(place.type, _NUMBERS["cpu"]), device=place, dtype=dtype, requires_grad=True)

    def move() -> None:
        (torch.nn.functional.gelu(numbers * numbers.detach(), approximate="tanh") + numbers).sum().backward()  # type: ignore[no-untyped-call]

    return move


def _filling(place: torch.device) -> Callable[[], object]:
    return lambda: torch.empty(_MANY_NUMBERS, device=place).fill_(1)


def _updating(place: torch.device) -> Callable[[], object]:
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
    tokens = 512 if place.type == "cpu" else 8192  # a GPU needs that many to be busy
    count = _WIDTHS[-1] // width  # so many that a clock can tell how long they take; others each time, as layers are
    shapes = (tokens, width), (width, 4 * width), (tokens, 4 * width)
    layers = [tuple(torch.ones(shape, device=place, dtype=dtype) for shape in shapes) for _ in range(count)]

    def multiply() -> None:
        for inputs, weight, wide in layers:
            (inputs @ weight, wide @ weight.T, inputs.T @ wide)

    return 6 * tokens * width * 4 * width * count / _seconds(multiply, place)


def _attention_flops_per_s(place: torch.device, dtype: torch.dtype) -> float:
    """In texts of a common length, forward and back. What a causal mask spares counts as done, as in tracing."""
    shape = texts, heads, tokens, width = _TEXTS.get(place.type, _TEXTS["cpu"]), 8, 128, 64
    query, key, value = (torch.ones(shape, device=place, dtype=dtype, requires_grad=True) for _ in range(3))

    def attend() -> None:
        torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True).sum().backward()  # type: ignore[no-untyped-call]

    products = 7  # two forward, five back
    return products * 2 * texts * heads * tokens * tokens * width / _seconds(attend, place)


def _seconds(work: Callable[[], object], place: torch.device) -> float:
    """How long ``work`` takes when it has been done before: the least of some times, as others may want the cores too."""
    taken = []
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        work()
        if place.type != "cpu":
            torch.accelerator.synchronize(place)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


if __name__ == "__main__":
    print(measure(*sys.argv[1:]).model_dump_json())
