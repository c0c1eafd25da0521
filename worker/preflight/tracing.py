"""One pass through a model, forward and backward, on tensors without numbers: what it keeps, computes and moves.

The model's own code and autograd run as they will in training, so any design, dropout, LoRA and gradient checkpointing are
counted as they are, and nothing has to be known about them here.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worker.data.batching import Batch, PackedTexts
from worker.devices.precision import AUTOCAST, Precision
from worker.errors import ModelError
from worker.models.attention import packed_arguments
from worker.models.loss import linear_cross_entropy_sum
from worker.preflight.architecture import Design

_HEAD_POSITIONS = (
    64  # the loss of more is worked out by worker.preflight.estimate, as the logits at once differ between devices
)

_aten = torch.ops.aten
_PRODUCTS = {_aten.mm: 0, _aten.bmm: 0, _aten.addmm: 1, _aten.baddbmm: 1, _aten.addmm_: 1, _aten._int_mm: 0}
"""Matrix products, and which argument is the left factor; the right one follows."""
_ATTENTION = {
    _aten._scaled_dot_product_flash_attention_for_cpu: (0, 2),
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: (1, 5),
}
"""Which argument is the query, with the key behind it, and how many products of their size are computed."""


class Rehearsal(NamedTuple):
    """What one pass takes besides the weights. Sizes are bytes, ``cells`` tokens with padding counted.

    ``forward`` is the most while going forward and ``kept`` what stays for the way back, without the output head;
    ``backward`` the most on the way back, gradients included. ``flops`` are those of products, without the head's, and
    ``attention`` those within attention; ``moved`` are bytes that all other ``operations`` read and write.
    """

    cells: float
    forward: float
    kept: float
    backward: float
    flops: float
    attention: float
    moved: float
    operations: float

    def towards(self, other: Rehearsal, cells: float) -> Rehearsal:
        """What a pass of ``cells`` takes, on a straight line through this one and ``other``."""
        share = (cells - self.cells) / (other.cells - self.cells) if other.cells != self.cells else 0.0
        return Rehearsal(*(own + (its - own) * share for own, its in zip(self, other, strict=True)))


@lru_cache(maxsize=64)
def rehearse(design: Design, lengths: tuple[int, ...], precision: Precision) -> Rehearsal:
    """A pass of texts of these ``lengths`` in tokens, laid out as the design's.

    Raises ModelError for a design whose way depends on its numbers, such as a mixture of experts.
    """
    try:
        return _go_through(design, lengths, precision)
    except RuntimeError as error:
        name, first_line = type(design.model).__name__, (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"What {name} takes cannot be worked out without its weights: {first_line}", "It can be trained all the same."
        ) from error


def _go_through(design: Design, lengths: tuple[int, ...], precision: Precision) -> Rehearsal:
    model, dtype = design.model, AUTOCAST.get(precision)
    batch = _batch(lengths, packed=design.layout == "packed")
    with design.mode, Counter(tree_leaves([list(model.parameters()), list(model.buffers())])) as counter:
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            arguments = {"input_ids": batch.inputs, "use_cache": False}
            if batch.texts is not None:
                arguments |= packed_arguments(batch)
            hidden = model.base_model(**arguments).last_hidden_state.flatten(0, 1)[: batch.tokens]
            counted, forward, kept = counter.work, counter.peak, counter.live
            head = model.get_output_embeddings()
            loss = linear_cross_entropy_sum(hidden, head.weight, head.bias, batch.targets)
        del hidden
        of_head, counter.peak = counter.work, counter.live
        loss.backward()  # type: ignore[no-untyped-call]
        work = [end - after + before for end, after, before in zip(counter.work, of_head, counted, strict=True)]
    model.zero_grad(set_to_none=True)
    return Rehearsal(batch.inputs.numel(), forward, kept, counter.peak, *work)


def _batch(lengths: Sequence[int], *, packed: bool) -> Batch:
    """Texts of these lengths, in which a few positions at most have a target."""
    longest = max(lengths)
    shape = (1, sum(lengths)) if packed else (len(lengths), longest)
    inputs = torch.zeros(shape, dtype=torch.long)
    targets = torch.zeros(min(inputs.numel(), _HEAD_POSITIONS), dtype=torch.long)
    if not packed:
        return Batch(inputs, targets)
    position_ids = torch.cat([torch.arange(length) for length in lengths])[None]
    return Batch(inputs, targets, position_ids=position_ids, texts=PackedTexts.of(lengths))


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation. ``live`` are the bytes of what has been made and not been let go, ``peak`` their most."""

    def __init__(self, known: Sequence[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self.flops = self.attention = self.moved = self.operations = 0
        self._known = [tensor.untyped_storage() for tensor in known]
        self._storages: dict[int, Any] = {id(storage): None for storage in self._known}

    @property
    def work(self) -> tuple[int, int, int, int]:
        """Flops, those within attention, bytes moved, and operations so far."""
        return self.flops, self.attention, self.moved, self.operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        new = [self._watch(tensor.untyped_storage()) for tensor in made]
        self.peak = max(self.peak, self.live)
        if not any(new) and not func._schema.is_mutable:
            return out  # a view costs nothing to speak of
        self.operations += 1
        operation = func._overloadpacket
        if operation in _PRODUCTS:
            place = _PRODUCTS[operation]
            left, right = args[place], args[place + 1]
            self.flops += 2 * int(left.numel() * right.shape[-1])
        elif operation in _ATTENTION:
            place, products = _ATTENTION[operation]
            query, key = args[place], args[place + 1]
            self.attention += 2 * products * int(query.numel() * key.shape[-2])
        else:
            read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
            self.moved += sum(tensor.numel() * tensor.element_size() for tensor in (*read, *made))
        return out

    def _watch(self, storage: Any) -> bool:
        """Counts ``storage`` for as long as it is there, and returns whether it is new."""
        key, size = id(storage), storage.nbytes()
        if key in self._storages:
            return False

        def gone(_: Any) -> None:
            self.live -= size
            del self._storages[key]

        self._storages[key] = weakref.ref(storage, gone)
        self.live += size
        return True
