"""The models that are kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

from worker.contract import ModelSource, base_of, is_adapter
from worker.devices.device import choose_device
from worker.generation.readers import reads_side_by_side
from worker.models import loading
from worker.models.loading import LanguageModel

_SHARE = 0.5  # of the memory that is free or held here; the rest is for what is written, and for others


class Key(NamedTuple):
    """What tells models apart: where from, on which device, and the state of their files."""

    source: str
    device: str
    files: tuple[tuple[str, int, int], ...]


def key_of(source: ModelSource, device: str) -> Key:
    return Key(source.model_dump_json(), device, tuple(_fingerprint(source)))


class Held(NamedTuple):
    """A model, and whether it reads texts side by side."""

    language_model: LanguageModel
    side_by_side: bool


class Shelf:
    """Keeps models within a share of the memory. The one that was not used for longest makes room first."""

    def __init__(self) -> None:
        self._held: OrderedDict[Key, Held] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def get(self, source: ModelSource, key: Key, used: Collection[Key]) -> Held:
        """The model of ``key``, loaded if need be. Those ``used`` stay, whatever room they take.

        Raises WorkerError if it cannot be had.
        """
        if key not in self._held:
            loading.quiet_libraries()
            device = choose_device(key.device)
            self._forget_changed(key)
            self._make_room(2 * sum(size for *_, size in key.files), device, used)  # weights of 16 bits become 32
            loaded = loading.load_model(source)
            loaded.model.to(device).eval()
            self._held[key] = Held(loaded, reads_side_by_side(loaded.model))
            self._make_room(0, device, {*used, key})  # a model of the hub has no files that could be weighed before
        self._held.move_to_end(key)
        return self._held[key]

    def forget(self, key: Key) -> None:
        """Frees its memory."""
        self._held.pop(key, None)

    def _forget_changed(self, key: Key) -> None:
        for other in [each for each in self._held if each[:2] == key[:2]]:
            self.forget(other)

    def _make_room(self, needed: int, device: torch.device, used: Collection[Key]) -> None:
        held = sum(map(_bytes_of, self._held.values()))
        budget = self._budget(device, held)
        for key in [key for key in self._held if key not in used]:
            if held + needed <= budget:
                return
            held -= _bytes_of(self._held[key])
            self.forget(key)

    def _budget(self, device: torch.device, held: int) -> float:
        """Bytes that models may take, of which ``held`` are taken."""
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
        return _SHARE * (free + held)


def _bytes_of(held: Held) -> int:
    model: Any = held.language_model.model
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def _fingerprint(source: ModelSource) -> list[tuple[str, int, int]]:
    """Name, time and size of each file of weights, also of an adapter's base; nothing for a hub model, whose files do not
    change in place."""
    if source.kind in ("hub", "built_in"):
        return []
    place = Path(source.location)
    files = [place] if source.kind == "gguf" else sorted(place.glob("*.safetensors"))
    found = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()]
    if source.kind == "folder" and is_adapter(place):
        with suppress(ValueError):  # loading says what is wrong with it
            found += _fingerprint(base_of(place))
    return found
