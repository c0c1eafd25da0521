"""The work of each update, ready before it is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from worker.batching import Batch, Layout, lay_out
from worker.data import Examples
from worker.group import Group


@dataclass(frozen=True)
class Work:
    """One process's part of an update: its forward passes, and ``tokens``, the trained tokens of the whole window.

    ``share`` is 0 where a window has fewer examples than the group has processes and this one only keeps up, else 1.
    """

    batches: list[Batch]
    tokens: int
    share: int


@dataclass(frozen=True)
class Loader:
    """Lays out windows of ``examples`` for this process of ``group``."""

    examples: Examples
    layout: Layout
    batch_size: int
    max_length: int
    group: Group

    def work(self, window: list[int]) -> Work:
        """The forward passes of this process's part of ``window``."""
        rows = self.group.share(window)
        batches = lay_out(self.examples, rows or window[:1], self.layout, self.batch_size, self.max_length)
        alone = self.group.size == 1
        tokens = sum(batch.tokens for batch in batches) if alone else int(self.examples.trained[window].sum())
        return Work(batches, tokens, share=1 if rows else 0)


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
