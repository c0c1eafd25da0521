"""What some designs need before they can be trained and saved as they are. What is written to config.json stays the same."""

from __future__ import annotations

from typing import Any

import torch


def adjust(model: Any) -> None:
    """Puts right in ``model`` what its design or its author would have trip a run."""
    _fuse_gelu(model)
    _cap_attention(model)
    _keep_weights(model)
    _mend_generation(model)


def _fuse_gelu(model: Any) -> None:
    """Gives GPT-2's activation, where ``model`` has it, in one operation instead of seven. config.json keeps its name."""
    from transformers.activations import NewGELUActivation

    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))


def _cap_attention(model: Any) -> None:
    """Has a model that caps its attention (Gemma 2) do so: transformers 5.20 leaves the cap out of SDPA unsaid."""
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None):
        model.set_attn_implementation("eager")


def _keep_weights(model: Any) -> None:
    """Has RWKV leave its weights alone. In evaluation it divides some of them by powers of two, for the range of fp16, and
    so they would be saved."""
    for module in model.modules():
        if hasattr(module, "layers_are_rescaled"):
            module._rescale_layers = lambda: None


def _mend_generation(model: Any) -> None:
    """Sampling that generation_config.json sets without switching it on, as its author meant; else saving would be refused.
    Where that does not mend it, only the tokens that begin and end a text are kept."""
    generation = model.generation_config
    if generation is None or _is_valid(generation):
        return
    generation.do_sample = True
    if not _is_valid(generation):
        marks = {name: getattr(generation, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        model.generation_config = type(generation)(**marks)


def _is_valid(generation: Any) -> bool:
    try:
        generation.validate(strict=True)
    except ValueError:
        return False
    return True
