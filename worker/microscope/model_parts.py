"""A model's weights by the part that they belong to, in the order in which a text goes through: embeddings, each block, the
norm after them, the head."""

from __future__ import annotations

from typing import Any

from torch import nn

from worker.models.parts import words_part


def trained_parts(model: Any) -> dict[str, list[nn.Parameter]]:
    """The weights that training changes by their part: "embeddings", "block 0", …, "norm", "head".

    A part without such weights is left out; a head that shares its weights with the embeddings counts there.
    """
    blocks = _blocks(words_part(model))
    owner = {id(weight): number for number, block in enumerate(blocks) for weight in block.parameters()}
    head: Any = model.get_output_embeddings()
    inputs: Any = model.get_input_embeddings()
    of_head = {id(weight) for weight in head.parameters()} - {id(weight) for weight in inputs.parameters()}
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    of_tables = {id(weight) for table in tables for weight in table.parameters()}
    named: dict[str, list[nn.Parameter]] = {"embeddings": []}
    named |= {f"block {number}": [] for number in range(len(blocks))} | {"norm": [], "head": []}
    seen_block = False
    for weight in model.parameters():
        seen_block |= id(weight) in owner
        if not weight.requires_grad:
            continue
        if id(weight) in owner:
            part = f"block {owner[id(weight)]}"
        elif id(weight) in of_head:
            part = "head"
        else:
            part = "embeddings" if id(weight) in of_tables or not seen_block else "norm"
        named[part].append(weight)
    return {part: weights for part, weights in named.items() if weights}


def _blocks(words: Any) -> list[nn.Module]:
    """The layers of the transformer, one upon the other."""
    count = words.config.get_text_config().num_hidden_layers
    lists = [module for module in words.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    return list(max(lists, key=lambda blocks: sum(weight.numel() for weight in blocks.parameters()), default=()))
