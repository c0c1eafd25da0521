"""Whether examples end where the model stops, and whether they were written for another model's chat format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.data.corpus import Examples

if TYPE_CHECKING:
    from worker.training.setup import Setup

LOOKED_AT = 256
"""Examples that are turned back into text: a few milliseconds."""

_MARKS = re.compile(
    r"<\|(?:im_start|im_end|start_header_id|end_header_id|eot_id|user|assistant|end|start|message|end_of_turn)\|>"
    r"|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
)
"""Marks of turns in the chat formats that are in use."""


def marks(setup: Setup) -> dict[str, Any]:
    """What a DataEvent tells of them: ``unended``, ``foreign_marks`` and ``looked_at``."""
    ends = setup.language_model.model.generation_config.eos_token_id
    tokenizer = setup.language_model.tokenizer
    texts = [
        tokenizer.decode(setup.train[number], skip_special_tokens=False)
        for number in np.linspace(0, len(setup.train) - 1, min(LOOKED_AT, len(setup.train)), dtype=int).tolist()
    ]
    known = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    template = str(tokenizer.chat_template or "")
    return {
        "unended": None if _has_documents(setup) else unended(setup.train, ends, setup.max_length),
        "foreign_marks": sum(is_foreign(text, known, template) for text in texts),
        "looked_at": len(texts),
    }


def unended(examples: Examples, ends: int | list[int] | None, max_length: int) -> int:
    """How many examples that were not cut have none of the tokens ``ends`` as their last or as the one before it: some chat
    templates put a line's end after the mark of an answer's end."""
    lengths = examples.ends - examples.starts
    near = (examples.ends - 1, np.maximum(examples.ends - 2, examples.starts))
    ended = [np.isin(examples.tokens[place], [] if ends is None else ends) for place in near]
    return int(((lengths < max_length) & ~(ended[0] | ended[1])).sum())


def is_foreign(text: str, known: set[str], template: str) -> bool:
    """Whether a mark stands in ``text`` that is neither a token of its own nor in the model's chat template."""
    return any(mark not in known and mark not in template for mark in _MARKS.findall(text))


def _has_documents(setup: Setup) -> bool:
    return any(source.reading.kind == "document" for source in setup.job.sources)
