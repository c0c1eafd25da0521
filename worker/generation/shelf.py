"""The models that are kept in memory."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

from worker.contract import ModelSource, base_of, is_adapter
from worker.devices.c_library import give_back_freed_memory
from worker.generation.adapters import Shared
from worker.models.loading import LanguageModel

_SHARE = 0.5  # of the memory that is free or held here; the rest is for what is written, and for others


class Key(NamedTuple):
    """What tells models apart: where from, on which device, and the state of their files."""

    source: str
    device: str
    files: tuple[tuple[str, int, int], ...]


def key_of(source: ModelSource, device: str) -> Key:
    return Key(source.model_dump_json(), device, tuple(_fingerprint(source)))


class Held:
    """A model in memory, with the adapters that share it, and whether it reads texts side by side."""

    def __init__(self, loaded: LanguageModel, *, side_by_side: bool, device: torch.device, name: str) -> None:
        self.shared, self.side_by_side, self.device, self.name = Shared(loaded), side_by_side, device, name
        self.bytes = self._weigh()

    def language_model(self, adapter: Path | None, used: Collection[str]) -> LanguageModel:
        """The model, or with ``adapter`` the one that this makes of it; adapters ``used`` stay. Raises ModelError."""
        if adapter is None:
            return self.shared.base
        adapted = self.shared.with_adapter(adapter, tuple(_files(adapter)), used)
        self.bytes = self._weigh()
        return adapted

    def _weigh(self) -> int:
        return sum(weight.numel() * weight.element_size() for weight in self.shared.parameters())


class Shelf:
    """Keeps models within a share of the memory. The one that was not used for longest makes room first."""

    def __init__(self) -> None:
        self._held: OrderedDict[Key, Held] = OrderedDict()

    def items(self) -> list[tuple[Key, Held]]:
        """All of them, the one used last at the end."""
        return [*self._held.items()]

    def find(self, key: Key) -> Held | None:
        """The model of ``key``, which counts as used now."""
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def prepare(self, key: Key, device: torch.device, used: Collection[Key]) -> None:
        """Makes room for a model that is to come. Those ``used`` stay, whatever room they take."""
        for other in [each for each in self._held if each[:2] == key[:2] and each not in used]:
            self.forget(other)  # its files have changed
        self._make_room(2 * sum(size for *_, size in key.files), device, used)  # weights of 16 bits become 32

    def put(self, key: Key, held: Held, used: Collection[Key]) -> None:
        """Takes a model in."""
        self._held[key] = held
        self._make_room(0, held.device, {*used, key})  # a model of the hub has no files that could be weighed before

    def forget(self, key: Key) -> None:
        """Frees its memory."""
        if held := self._held.pop(key, None):
            device = held.device
            del held
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
            give_back_freed_memory()

    def _make_room(self, needed: int, device: torch.device, used: Collection[Key]) -> None:
        held = sum(held.bytes for held in self._held.values())
        budget = self._budget(device, held)
        for key in [key for key in self._held if key not in used]:
            if held + needed <= budget:
                return
            held -= self._held[key].bytes
            self.forget(key)

    def _budget(self, device: torch.device, held: int) -> float:
        """Bytes that models may take, of which ``held`` are taken."""
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
        return _SHARE * (free + held)


def _files(place: Path) -> list[tuple[str, int, int]]:
    """Name, time and size of each file of weights."""
    files = sorted(place.glob("*.safetensors")) if place.is_dir() else [place]
    return [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()]


def _fingerprint(source: ModelSource) -> list[tuple[str, int, int]]:
    """The state of its files, also of an adapter's base; nothing for a hub model, whose files do not change in place."""
    if source.kind in ("hub", "built_in"):
        return []
    place = Path(source.location)
    found = _files(place)
    if source.kind == "folder" and is_adapter(place):
        with suppress(ValueError):  # loading says what is wrong with it
            found += _fingerprint(base_of(place))
    return found
