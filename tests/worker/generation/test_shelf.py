"""Models stay in memory as long as there is room."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker import designs
from worker.contract import ModelSource
from worker.generation import shelf as shelves
from worker.generation.shelf import Held, Key, Shelf, key_of
from worker.models.loading import load_model

CPU = shelves.torch.device("cpu")


@pytest.fixture
def sources(dataset: Path, tmp_path: Path) -> list[ModelSource]:
    return [designs.save_small_gpt2(tmp_path / name, dataset) for name in ("first", "second", "third")]


@pytest.fixture
def take() -> Callable[..., list[Key]]:
    """Takes models from a shelf, one after another, as the engine does; returns their keys."""

    def take(shelf: Shelf, *sources: ModelSource, used: tuple[Key, ...] = ()) -> list[Key]:
        keys = [key_of(source, "cpu") for source in sources]
        for source, key in zip(sources, keys, strict=True):
            if not shelf.find(key):
                shelf.prepare(key, CPU, used)
                shelf.put(key, Held(load_model(source), side_by_side=True, device=CPU, name=""), used)
        return keys

    return take


def there(shelf: Shelf) -> set[Key]:
    return {key for key, _ in shelf.items()}


def room_for(number: int, source: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves memory for so many models of this size; one that comes counts twice, as its weights may be of 16 bits."""
    size = sum(file.stat().st_size for file in Path(source.location).glob("*.safetensors"))
    monkeypatch.setattr(Shelf, "_budget", lambda *_: (number + 0.9) * size)


def test_the_one_that_was_not_used_for_longest_makes_room(
    sources: list[ModelSource], take: Callable[..., list[Key]], monkeypatch: pytest.MonkeyPatch
) -> None:
    room_for(3, sources[0], monkeypatch)
    shelf = Shelf()
    first, second = take(shelf, *sources[:2])
    assert there(shelf) == {first, second}
    take(shelf, sources[0])
    (third,) = take(shelf, sources[2])
    assert there(shelf) == {first, third}


def test_what_is_being_used_stays(
    sources: list[ModelSource], take: Callable[..., list[Key]], monkeypatch: pytest.MonkeyPatch
) -> None:
    room_for(0, sources[0], monkeypatch)
    shelf = Shelf()
    (first,) = take(shelf, sources[0])
    (second,) = take(shelf, sources[1], used=(first,))
    assert there(shelf) == {first, second}
    (third,) = take(shelf, sources[2])
    assert there(shelf) == {third}


def test_a_model_whose_files_changed_takes_the_place_of_the_one_before(
    sources: list[ModelSource], take: Callable[..., list[Key]]
) -> None:
    shelf = Shelf()
    (before,) = take(shelf, sources[0])
    os.utime(Path(sources[0].location) / "model.safetensors", ns=(1, 1))
    (after,) = take(shelf, sources[0])
    assert before != after
    assert there(shelf) == {after}


def test_half_of_what_is_free_or_held_may_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    free = shelves.psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(shelves.psutil, "virtual_memory", lambda: free)
    assert Shelf()._budget(shelves.torch.device("cpu"), held=200) == 600
