"""The processes that train one model together, one for each device. A run on one device is a group of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from worker.distributed.sharding import shard
from worker.errors import StopRequested
from worker.process.control import StopSwitch

_ANY_PAUSE = timedelta(days=365)  # how long the others wait for what the first process decides
_GO_ON, _PAUSE, _STOP = range(3)

Part = TypeVar("Part")


@dataclass(frozen=True)
class Group:
    """``rank`` is this process's number of ``size``. The first one (rank 0) alone writes events and files."""

    rank: int = 0
    size: int = 1
    words: Any = None  # a gloo group for what is said between processes; None in a group of one

    @classmethod
    def join(cls, device: torch.device) -> Group:
        """Joins the group that torchrun's environment variables describe; returns when all have come."""
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size(), dist.new_group(backend="gloo", timeout=_ANY_PAUSE))

    def leave(self) -> None:
        """Leaves the group once all have come here; to be called by all of them when nothing has failed.

        Otherwise one could be gone while others still talk to it, and the agent would end them.
        """
        dist.barrier(group=self.words)
        dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this process speaks for the group."""
        return self.rank == 0

    def share(self, passes: Sequence[Part]) -> list[tuple[Part, int]]:
        """This process's part of the forward ``passes``, and how often each counts.

        Every pass counts once in the group. As all processes must make equally many, some make one again that counts 0.
        """
        rounds = -(-len(passes) // self.size) * self.size
        return [(passes[n], 1) if n < len(passes) else (passes[0], 0) for n in range(self.rank, rounds, self.size)]

    def wrap(self, module: nn.Module, device: torch.device, *, sharded: bool, all_used: bool) -> Any:
        """``module``, with gradients averaged over the group when ``backward`` is called outside ``without_sync``.

        Unless ``all_used``, some weights may have no part in what it computes.
        """
        if self.size == 1:
            return module
        if sharded:
            shard(module, device, self.size)
            return module
        # Without the view each gradient would be there twice.
        return nn.parallel.DistributedDataParallel(module, gradient_as_bucket_view=True, find_unused_parameters=not all_used)

    def without_sync(self, module: Any, last: bool) -> AbstractContextManager[None]:
        """For each pass of an update: gradients add up in each process, and meet in the ``last`` pass.

        Those of a sharded model meet in every pass, as no process has room for all of them.
        """
        waits = isinstance(module, nn.parallel.DistributedDataParallel) and not last
        return module.no_sync() if waits else nullcontext()

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """``tensor`` summed over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor, group=self.words if tensor.device.type == "cpu" else None)
        return tensor

    def said_by_first(self, value: int) -> int:
        """The first process's ``value``, in all of them."""
        if self.size == 1:
            return value
        word = torch.tensor(value)
        dist.broadcast(word, src=0, group=self.words)
        return int(word)

    def gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """``tensor`` of each process, which has the same shape in all; on the CPU."""
        if self.size == 1:
            return [tensor]
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(found, tensor, group=self.words)
        return found

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """Has the first process do the block, and then the others, who find what it has left on the disk."""
        if not self.first:
            dist.barrier(group=self.words)
        yield
        if self.first and self.size > 1:
            dist.barrier(group=self.words)


class SharedSwitch(StopSwitch):
    """What is asked of a group: the first process looks, and all of them obey at the same update.

    Before the first update the first process may leave alone: ending with an error code, it has the others ended too.
    """

    def __init__(self, switch: StopSwitch, group: Group) -> None:
        self._switch = switch
        self._group = group
        self._together = False

    def check(self) -> None:
        """Raises StopRequested in the first process while all prepare; later nothing, as the others would wait for it."""
        if self._group.first and not self._together:
            self._switch.check()

    def pause_wanted(self) -> bool:
        """As StopSwitch's, for all processes alike."""
        return self._decided(self._switch.pause_wanted)

    def wait_out_pause(self) -> None:
        """As StopSwitch's, for all processes alike."""
        self._decided(self._switch.wait_out_pause)

    def _decided(self, look: Any) -> bool:
        self._together = True
        decision = _GO_ON
        if self._group.first:
            try:
                decision = _PAUSE if look() else _GO_ON
            except StopRequested:
                decision = _STOP
        decision = self._group.said_by_first(decision)
        if decision == _STOP:
            raise StopRequested
        return decision == _PAUSE
