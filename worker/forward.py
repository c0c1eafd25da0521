"""One forward pass: the loss of a few examples, in the run's precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from worker.batching import collate
from worker.data import Examples
from worker.model import LanguageModel
from worker.optimization import Precision

_AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Forward:
    """Computes losses with the model, which stays in fp32; ``precision`` decides what its products are computed in."""

    def __init__(self, language_model: LanguageModel, precision: Precision) -> None:
        self._model: Any = language_model.model
        self._precision = precision

    def loss_sum(self, examples: Examples, rows: Sequence[int]) -> torch.Tensor:
        """The loss of examples ``rows``, summed over all their trained tokens: a scalar in nats, in fp32."""
        device = self._model.device
        batch = collate(examples, rows, device)
        dtype = _AUTOCAST.get(self._precision)
        head = self._model.get_output_embeddings()

        def only_trained(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            # The head is a large part of the work: it sees the positions that have a target, and no padding.
            return (inputs[0][batch.trained],)

        with torch.autocast(device.type, dtype, enabled=dtype is not None), head.register_forward_pre_hook(only_trained):
            logits = self._model(input_ids=batch.inputs, use_cache=False).logits
        return F.cross_entropy(logits.float(), batch.targets, reduction="sum")
