"""Whether a model can take texts end to end, tried out on it."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import PreTrainedModel

from worker.data.batching import Batch, Layout, PackedTexts
from worker.devices.precision import AUTOCAST, Precision
from worker.models.attention import PACKED, packed_arguments
from worker.models.loading import LanguageModel

_PROBE_LENGTHS = (12, 7, 5)


def choose_layout(
    language_model: LanguageModel, packing: bool, precision: Precision, device: torch.device
) -> tuple[Layout, str | None]:
    """How to lay out this model's examples if ``packing`` is wanted, and a sentence for a person if it cannot be had.

    A model that can take texts end to end is prepared for it; what it computes for others, and saves, stays the same.
    """
    if not packing:
        return "in_order", None
    model: Any = language_model.model
    half = AUTOCAST.get(precision) if device.type == "cuda" else None
    why = _why_not(model) or _mixes_texts(model, None, tolerance=1e-4)
    if not why and half is not None:
        why = _mixes_texts(model.to(device), half, tolerance=0.05)
    if not why:
        model.set_attn_implementation(PACKED)
        return "packed", None
    return "grouped", (
        f"{type(model).__name__} cannot keep texts apart that lie end to end ({why}), so packing puts texts of like length"
        " side by side instead. The result is the same; some time goes into padding."
    )


def _why_not(model: PreTrainedModel) -> str | None:
    """Why it is not worth a try; None if it is: positions can be given, and attention depends on nothing but what it is
    handed.

    The latter is what support for flash attention means in transformers: there, no mask tells of windows either.
    """
    parameters = inspect.signature(model.forward).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if "position_ids" not in parameters or not takes_any:
        return "it takes no positions"
    replaceable = model._can_set_attn_implementation() and model._supports_flash_attn and model._supports_sdpa
    return None if replaceable else "its attention cannot be replaced"


@torch.inference_mode()
def _mixes_texts(model: Any, dtype: torch.dtype | None, tolerance: float) -> str | None:
    """What keeps three texts end to end from getting the logits that each gets alone, from the model as it was, within
    ``tolerance`` of the largest; None if they do."""
    device: torch.device = model.device
    vocabulary = model.get_input_embeddings().num_embeddings
    random = torch.Generator().manual_seed(0)
    texts = [torch.randint(vocabulary, (1, length), generator=random).to(device) for length in _PROBE_LENGTHS]
    position_ids = torch.cat([torch.arange(length) for length in _PROBE_LENGTHS])[None]
    inputs = torch.cat(texts, dim=1)
    batch = Batch(inputs, inputs[0], position_ids=position_ids, texts=PackedTexts.of(_PROBE_LENGTHS)).to(device)
    training, before = model.training, model.config._attn_implementation
    model.eval()
    try:
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            torch.autocast(device.type, dtype, enabled=dtype is not None),
        ):
            alone = torch.cat([model(input_ids=text, use_cache=False).logits for text in texts], dim=1)
            model.set_attn_implementation(PACKED)
            together = model(input_ids=batch.inputs, use_cache=False, **packed_arguments(batch)).logits
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:  # each architecture has its own way to say that it cannot
        return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    finally:
        model.set_attn_implementation(before)
        model.train(training)
    apart = bool((together - alone).abs().max() <= tolerance * alone.abs().max())
    return None if apart else "its logits change"
