"""Models that do not fit into one GPU, cut into shards over several (FSDP2, Zhao et al., 2023).

Each process holds its part of every weight, gradient and moment; a block's weights come together while it computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

_SHARE_FOR_THE_MODEL = 0.8  # of the free memory; the rest is for what the passes keep


def fits(model: nn.Module, state_bytes: int, device: torch.device, processes: int) -> bool:
    """Whether training ``model`` leaves room on ``device``, of which a CPU's memory is shared by all ``processes``.

    ``state_bytes`` are what the optimizer remembers."""
    with_gradients = sum(
        weight.numel() * weight.element_size() * (2 if weight.requires_grad else 1) for weight in model.parameters()
    )
    cuda = device.type == "cuda"
    free = torch.cuda.mem_get_info(device)[0] if cuda else psutil.virtual_memory().available // processes
    return with_gradients + state_bytes <= _SHARE_FOR_THE_MODEL * free


def shard(forward: nn.Module, device: torch.device, processes: int) -> None:
    """Cuts ``forward``, which holds a whole model on the CPU, into shards on the processes' devices, in place."""
    mesh = init_device_mesh(device.type, (processes,))
    blocks = max((module for module in forward.modules() if isinstance(module, nn.ModuleList)), key=len)
    for part in (*blocks, forward):
        fully_shard(part, mesh=mesh)
    for part in (*blocks, forward):
        # Where gathered weights go is decided when they first come together; not in an evaluation, for then they would
        # be good for nothing else.
        part.unshard()
        part.reshard()


@contextmanager
def gathered(forward: nn.Module) -> Iterator[None]:
    """Within the block the weights outside the transformer's blocks are whole, so that the model can be called by itself.
    For models that are not sharded it does nothing."""
    if not isinstance(forward, FSDPModule):
        yield
        return
    forward.unshard()
    try:
        yield
    finally:
        forward.reshard()


def whole_weights(model: nn.Module) -> dict[str, Any] | None:
    """The weights of a sharded ``model`` on the CPU of the first process, by name; None for one that is not sharded.

    All processes call this together.
    """
    if not any(isinstance(weight, DTensor) for weight in model.parameters()):
        return None
    found = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - dict(model.named_parameters()).keys()
    return {name: weight for name, weight in found.items() if name not in tied}  # once is enough


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor`` as it is without shards. All processes call this together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """``tensor`` [the weight's shape], cut as ``weight`` is."""
    if isinstance(weight, DTensor) and tensor.shape == weight.shape:
        return distribute_tensor(tensor.to(weight.device), weight.device_mesh, weight.placements)
    return tensor
