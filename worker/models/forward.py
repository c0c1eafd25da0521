"""One forward pass: the loss of a few examples, in the run's precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from worker.data.batching import Batch
from worker.devices.precision import AUTOCAST, Precision
from worker.models.attention import PACKED, packed_arguments
from worker.models.frozen import FrozenLinear
from worker.models.loading import LanguageModel
from worker.models.loss import chunk_rows, cross_entropy_sum, linear_cross_entropy_sum
from worker.models.scores import TokenScores, score_tokens


class Forward(nn.Module):
    """Computes losses with the model, of which what is trained is in fp32; ``precision`` is what products are computed in.

    Its parameters are the model's. Only positions that have a target reach the output head, a large part of the work.

    ``label_smoothing`` changes gradients alone. ``neftune_noise_alpha`` adds noise to the embeddings of a model that is in
    training mode. ``token_losses`` are those of the latest pass: [trained positions] float32 on its device, in nats, in the
    order of its targets.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        precision: Precision,
        *,
        label_smoothing: float = 0.0,
        neftune_noise_alpha: float = 0.0,
    ) -> None:
        super().__init__()
        self.model: Any = language_model.model
        self._label_smoothing = label_smoothing
        self._noise_alpha = neftune_noise_alpha
        self._dtype = AUTOCAST.get(precision)
        self._plain_head = has_plain_head(self.model)
        self.token_losses = torch.empty(0)
        self.use_plain_body()

    def use_plain_body(self) -> None:
        """Computes as the model's own code says."""
        self._trained_body = self._body

    def compile_body(self) -> None:
        """Compiles the model without its head, where it is trained: samples and evaluation have other shapes and would each
        be compiled anew. Raises ValueError if the head cannot be told from the rest."""
        if not self._plain_head:
            raise ValueError(f"{type(self.model).__name__} changes its logits after its output head.")
        self._trained_body = torch.compile(self._body, dynamic=False)

    def casting_once(self, device: torch.device) -> AbstractContextManager[object]:
        """Within the block each weight is turned into the number format of products once, and not for every pass anew.

        autocast keeps what it has cast until the outermost block ends. This one is off, so that what goes backward within
        it is computed as it was going forward.
        """
        return torch.autocast(device.type, self._dtype, enabled=False)

    def _body(self, arguments: dict[str, Any]) -> torch.Tensor:
        """The last hidden state: [rows, longest, width]."""
        hidden: torch.Tensor = self.model.base_model(**arguments).last_hidden_state
        return hidden

    def forward(self, batch: Batch) -> torch.Tensor:
        """The loss of ``batch``, summed over all its trained tokens: a scalar in nats, in fp32, to go backward from.

        Raises ValueError for a packed batch if the model is not prepared, as its texts would see each other.
        """
        device, smoothing = batch.inputs.device, self._label_smoothing
        self.token_losses = each = torch.empty(batch.tokens, dtype=torch.float32, device=device)
        with torch.autocast(device.type, self._dtype, enabled=self._dtype is not None), self._noise(batch):
            if self._plain_head:
                head = self.model.get_output_embeddings()
                body = self._trained_body if torch.is_grad_enabled() else self._body
                hidden = _trained(batch, body(self._arguments(batch)))
                return linear_cross_entropy_sum(hidden, head.weight, head.bias, batch.targets, smoothing, each)
            logits = self._trained_logits(batch)
        return cross_entropy_sum(logits, batch.targets, smoothing, each)

    @torch.inference_mode()
    def score(self, batch: Batch) -> TokenScores:
        """What the model makes of each trained token of ``batch``, on the CPU. Logits are computed for some at a time.

        Raises ValueError as ``forward`` does.
        """
        kind = batch.inputs.device.type
        with torch.autocast(kind, self._dtype, enabled=self._dtype is not None):
            head = self.model.get_output_embeddings()
            states = _trained(batch, self._body(self._arguments(batch))) if self._plain_head else self._trained_logits(batch)
            rows, parts = chunk_rows(kind, head.weight.shape[0]), []
            for start in range(0, len(batch.targets), rows):
                part = states[start : start + rows]
                logits = head(part) if self._plain_head else part
                parts.append(score_tokens(logits, batch.targets[start : start + rows], 0))
        return TokenScores(*(torch.cat(each).cpu() for each in zip(*parts, strict=True)))

    def _arguments(self, batch: Batch) -> dict[str, Any]:
        arguments = {"input_ids": batch.inputs, "use_cache": False}
        if batch.texts is None:
            return arguments
        if self.model.config._attn_implementation != PACKED:
            raise ValueError("A packed batch needs a model that choose_layout has prepared.")
        return arguments | packed_arguments(batch)

    def _trained_logits(self, batch: Batch) -> torch.Tensor:
        """[trained positions, vocabulary] of a model that does more than its head's product."""
        head = self.model.get_output_embeddings()
        with head.register_forward_pre_hook(lambda _, inputs: (_trained(batch, inputs[0]),)):
            logits: torch.Tensor = self.model(**self._arguments(batch)).logits
        return logits

    def _noise(self, batch: Batch) -> AbstractContextManager[object]:
        """Within the block the embeddings of ``batch`` have NEFTune's noise, if there is to be any."""
        if not (self._noise_alpha and self.model.training):
            return nullcontext()
        embeddings: nn.Module = self.model.get_input_embeddings()
        return embeddings.register_forward_hook(
            lambda _, __, output: output + neftune_noise(output, batch, self._noise_alpha)
        )


def neftune_noise(embedded: torch.Tensor, batch: Batch, alpha: float) -> torch.Tensor:
    """Noise for ``embedded`` [rows, longest, width], even between ± alpha / sqrt(length * width) (Jain et al., 2023).

    The length is that of the text that a token belongs to, in tokens that the model reads, however the texts are laid out.
    """
    rows, longest, width = embedded.shape
    if batch.texts is not None:
        lengths = batch.texts.starts.diff()
        each = lengths.repeat_interleave(lengths, output_size=longest)[None]
    else:
        assert batch.lengths is not None
        each = batch.lengths[:, None].expand(rows, longest)
    most = alpha / (each * width).sqrt()
    return torch.empty_like(embedded).uniform_(-1, 1) * most[..., None].to(embedded.dtype)


def _trained(batch: Batch, hidden: torch.Tensor) -> torch.Tensor:
    """The rows of ``hidden`` [rows, longest, width] that have a target: [trained positions, width]."""
    flat = hidden.flatten(0, 1)
    return flat[: batch.tokens] if batch.trained is None else flat.index_select(0, batch.trained)


@torch.no_grad()
def recompute_activations(model: Any) -> None:
    """Has ``model`` compute activations anew in the backward pass instead of keeping them (gradient checkpointing)."""
    # Renamed within transformers 5.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def has_plain_head(model: Any) -> bool:
    """Whether the model's logits are nothing but a linear layer's output for the last hidden state.

    Not so where logits are scaled or capped, or where an adapter sits on the head. Found out with a head whose output is
    replaced by large numbers, for with small ones a cap hardly shows.
    """
    head = model.get_output_embeddings()
    if type(head) not in (nn.Linear, FrozenLinear) or getattr(model, "base_model", model) is model:
        return False
    seen: list[torch.Tensor] = []
    # Several tokens, for padding may have a vector of zeros, which no scale changes.
    text = torch.arange(min(8, head.out_features), device=model.device)[None]
    large = torch.linspace(-1e4, 1e4, head.out_features, device=model.device).repeat(1, text.shape[1], 1)

    def replace(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        seen.append(inputs[0])
        return large

    training = model.training
    model.eval()
    with head.register_forward_hook(replace):
        logits = model(input_ids=text, use_cache=False).logits
    hidden = model.base_model(input_ids=text, use_cache=False).last_hidden_state
    model.train(training)
    return torch.equal(logits, large) and len(seen) == 1 and torch.equal(seen[0], hidden)
