"""Text that must be JSON of a certain schema: tokens that would lead elsewhere are barred. llguidance works out which.

It is an extra, and loaded by the first text that asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import torch

from worker.errors import UnsupportedError
from worker.models.loading import LanguageModel

FIELD = "response_format"
_COMPILED = 64  # schemas kept for each tokenizer
# Models that have learned little would go on with blanks for ever if any number were allowed.
_LAYOUT: Any = {"whitespace_flexible": False, "item_separator": r",[ \n]?[ ]{0,16}", "key_separator": ": ?"}


class Grammar:
    """Where one text stands in what it may be."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def masked(self, logits: torch.Tensor) -> torch.Tensor:
        """``logits`` [1, vocabulary] of what may come next, and no chance for all else. Raises UnsupportedError if that has
        become too much to work out."""
        allowed = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        self._require_sound()
        return logits.masked_fill(allowed[: logits.shape[1]] == 0, float("-inf"))

    def accept(self, token: int) -> bool:
        """Goes on with ``token``; whether nothing can follow it."""
        self._matcher.consume_token(token)
        self._require_sound()
        return bool(self._matcher.is_stopped())

    def _require_sound(self) -> None:
        if self._matcher.is_error():
            raise UnsupportedError(FIELD, f"The schema could not be followed: {_first_line(self._matcher.get_error())}")


class _Compiler:
    """Compiles schemas for one tokenizer."""

    def __init__(self, language_model: LanguageModel, ends: Collection[int]) -> None:
        from llguidance.hf import from_tokenizer

        tokenizer: Any = language_model.tokenizer
        vocabulary = max(len(tokenizer), language_model.model.get_output_embeddings().weight.shape[0])
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=sorted(ends) or None)
        self.compiled = lru_cache(_COMPILED)(self._compile)

    def _compile(self, schema: str) -> Any:
        from llguidance import LLMatcher

        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_json_schema(schema, defaults=_LAYOUT), log_level=0)
        if matcher.is_error():
            raise UnsupportedError(FIELD, f"The schema cannot be used: {_first_line(matcher.get_error())}")
        return matcher


_COMPILERS: WeakKeyDictionary[Any, _Compiler] = WeakKeyDictionary()  # by tokenizer: gone with its model


def grammar_of(language_model: LanguageModel, schema: str, ends: Collection[int]) -> Grammar:
    """The beginning of a text that fits the JSON ``schema``, of a model that writes a token of ``ends`` after its last.

    Raises UnsupportedError if the library is not there, or does not know what to do with the schema or the tokenizer.
    """
    tokenizer = language_model.tokenizer
    if tokenizer not in _COMPILERS:
        try:
            _COMPILERS[tokenizer] = _Compiler(language_model, ends)
        except ImportError as error:
            raise UnsupportedError(FIELD, "JSON of a schema needs llguidance.", "Install: pip install llguidance") from error
        except ValueError as error:
            why = f"JSON of a schema cannot be had with this model's tokenizer: {_first_line(str(error))}"
            raise UnsupportedError(FIELD, why) from error
    return Grammar(_COMPILERS[tokenizer].compiled(schema).deep_copy())


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
