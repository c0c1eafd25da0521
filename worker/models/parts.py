"""What of a model is what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def words_part(model: Any) -> Any:
    """The part of ``model`` that words go through: all of it, unless it takes images or sounds too."""
    return model if model.config.get_text_config() is model.config else model.get_decoder()


def context_of(model: PreTrainedModel) -> int | None:
    """The longest text in tokens the model can read, or None if its design sets no limit."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None
