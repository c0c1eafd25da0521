"""What of a model is what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def words_part(model: Any) -> Any:
    """The part of ``model`` that words go through: all of it, unless it takes images or sounds too."""
    return model if model.config.get_text_config() is model.config else model.get_decoder()


def context_of(model: PreTrainedModel) -> int | None:
    """The longest text in tokens the model can read, or None if its design sets no limit."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None


def trained_parts(model: Any) -> dict[str, list[nn.Parameter]]:
    """The weights of ``model`` that are trained, by the part they belong to, in the model's order: "embeddings",
    "block 0", "block 1", …, "norm", "head"; "other" is what words do not go through. A part of which nothing is trained is
    not there, nor is a head that is the embeddings' own weight.
    """
    words, head = words_part(model), model.get_output_embeddings()
    block_of = {
        id(weight): f"block {number}" for number, block in enumerate(_blocks(words)) for weight in block.parameters()
    }
    of_words, of_head = ({id(weight) for weight in part.parameters()} if part else set() for part in (words, head))
    parts: dict[str, list[nn.Parameter]] = {}
    outside = "embeddings"  # what stands before the blocks, and after them the norm
    for weight in model.parameters():
        name = block_of.get(id(weight))
        if name:
            outside = "norm"
        elif id(weight) in of_head and outside == "norm":
            name = "head"
        if weight.requires_grad:
            parts.setdefault(name or (outside if id(weight) in of_words else "other"), []).append(weight)
    return dict(sorted(parts.items(), key=lambda part: _place(part[0])))


def _blocks(words: nn.Module) -> list[nn.Module]:
    """The transformer's blocks: the longest list of modules that stands in no other one."""
    lists = [(name, module) for name, module in words.named_modules() if isinstance(module, nn.ModuleList)]
    outermost = [
        module for name, module in lists if not any(name.startswith(f"{other}.") for other, _ in lists if other != name)
    ]
    return list(max(outermost, key=len, default=[]))


def _place(name: str) -> tuple[int, int]:
    kind, _, number = name.partition(" ")
    return ("embeddings", "block", "norm", "head", "other").index(kind), int(number or 0)
