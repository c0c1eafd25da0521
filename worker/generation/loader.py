"""Loads models beside the writing of texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch

from worker.contract import ModelSource
from worker.errors import StopRequested
from worker.generation.readers import reads_side_by_side
from worker.generation.shelf import Held
from worker.generation.text_request import Request, ScoreRequest
from worker.models import loading
from worker.protocol import Reply

_AT_ONCE = 4


class Loading:
    """A model on its way into memory, and who waits for it. ``bytes`` of ``total`` have come, of one that is downloaded."""

    def __init__(self, source: ModelSource, device: torch.device, name: str) -> None:
        self.source, self.device, self.name = source, device, name
        self.waiting: list[tuple[Request | ScoreRequest, Reply]] = []
        self.bytes = self.total = self._told = 0
        self.held: Future[Held] = Future()

    def is_wanted(self) -> bool:
        """Whether anybody still waits."""
        return any(not reply.is_cancelled() for _, reply in self.waiting)

    def tell(self) -> None:
        """Tells those who wait how much has come, if that is more than they know."""
        if self.bytes > self._told:
            self._told = self.bytes
            for _, reply in self.waiting:
                reply.send("loading", bytes=self.bytes, total=self.total)


class ModelLoader:
    """Loads models in threads of its own: one after another, while others are downloaded. ``wake`` is called from there when
    there is news."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE)
        self._one_at_a_time = threading.Lock()  # what transformers sets while it loads is set for all threads
        self._closed = False

    def start(self, loading: Loading) -> None:
        """Has it loaded."""
        loading.held = self._threads.submit(self._load, loading)
        loading.held.add_done_callback(lambda _: self._wake())

    def close(self) -> None:
        """Ends what can be ended: downloads, and what has not begun."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _load(self, wanted: Loading) -> Held:
        def watch(done: int, total: int) -> None:
            wanted.bytes, wanted.total = done, total
            self._wake()
            if self._closed or not wanted.is_wanted():
                raise StopRequested

        @contextmanager
        def turn() -> Iterator[None]:
            with self._one_at_a_time:
                watch(wanted.bytes, wanted.total)  # it may have taken long
                yield

        watch(0, 0)
        loading.quiet_libraries()
        loaded = loading.load_model(wanted.source, watch=watch, turn=turn())
        loaded.model.to(wanted.device).eval()
        return Held(loaded, side_by_side=reads_side_by_side(loaded.model), device=wanted.device, name=wanted.name)
