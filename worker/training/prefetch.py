"""The work of each update, ready before it is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from worker.data.batching import Batch, Layout, Sizes, lay_out
from worker.data.corpus import Examples
from worker.distributed.group import Group


@dataclass(frozen=True)
class Work:
    """One process's part of an update: its forward passes, each with how often it counts (see ``Group.share``), and
    ``tokens``, the trained tokens of the whole update."""

    passes: list[tuple[Batch, int]]
    tokens: int


@dataclass(frozen=True)
class Loader:
    """Lays out windows of ``examples`` for one process of ``group``, in passes of these ``sizes``."""

    examples: Examples
    layout: Layout
    batch_size: int
    max_length: int
    group: Group
    sizes: Sizes

    def work(self, window: list[int]) -> Work:
        """The process's part of an update that learns from ``window``."""
        batches = lay_out(self.examples, window, self.layout, self.batch_size, self.max_length, self.sizes)
        return Work(self.group.share(batches), sum(batch.tokens for batch in batches))


def ahead(windows: Iterator[list[int]], work: Callable[[list[int]], Work], num_workers: int) -> Iterator[Work]:
    """The ``work`` of each window, in order; with ``num_workers`` threads, two windows ahead for each of them.

    Threads serve because numpy and torch let go of Python's lock while they copy.
    """
    if num_workers == 0:
        yield from map(work, windows)
        return
    with ThreadPoolExecutor(num_workers) as pool:
        waiting: deque[Future[Work]] = deque(pool.submit(work, window) for window in islice(windows, 2 * num_workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, window) for window in islice(windows, 1))
