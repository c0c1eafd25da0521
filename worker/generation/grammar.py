"""Text that must be JSON of a certain schema: tokens that would lead elsewhere are barred. llguidance works out which.

It is an extra, and loaded by the first text that asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import torch

from worker.data.chats.special_tokens import special_ids
from worker.data.token_bytes import TokenBytes
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
        barred = allowed[: logits.shape[1]] == 0
        if barred.all():
            raise UnsupportedError(
                FIELD, "The schema could not be followed: the model has no token for what must come next."
            )
        return logits.masked_fill(barred, float("-inf"))

    def accept(self, token: int) -> bool:
        """Goes on with ``token``; whether nothing can follow it."""
        self._matcher.consume_token(token)
        self._require_sound()
        return bool(self._matcher.is_stopped())

    def _require_sound(self) -> None:
        if self._matcher.is_error():
            raise UnsupportedError(FIELD, f"The schema could not be followed: {_first_line(self._matcher.get_error())}")


class _Pieces:
    """What each token writes, as llguidance takes it in place of a tokenizer: Unigram's, or one of single bytes.

    Raises ValueError where that depends on the tokens before it, as WordPiece's, which has no way to write JSON anyway, or
    where no text ever ends.
    """

    def __init__(self, tokenizer: Any, size: int, ends: Collection[int]) -> None:
        told, silent = TokenBytes(tokenizer), {*special_ids(tokenizer), *tokenizer.all_special_ids, *ends}
        pieces = [b"" if token in silent else told.written(token) for token in range(len(tokenizer))]
        if None in pieces:
            raise ValueError("what its tokens write depends on those before them")
        if not ends:
            raise ValueError("none of its tokens ends a text")
        self.tokens = [*pieces, *[b""] * (size - len(pieces))]
        self._ids = {piece: token for token, piece in enumerate(pieces) if piece}
        self._longest = max(map(len, self._ids))
        self.special_token_ids = sorted(silent)
        self.eos_token_id, self.bos_token_id = min(ends), tokenizer.bos_token_id

    def __call__(self, text: bytes) -> list[int]:
        """Tokens that write ``text``, the longest first, as far as there are any. Where one text alone fits, they come."""
        ids: list[int] = []
        while text:
            size = next((size for size in range(min(self._longest, len(text)), 0, -1) if text[:size] in self._ids), 0)
            if not size:
                break
            ids.append(self._ids[text[:size]])
            text = text[size:]
        return ids


class _Compiler:
    """Compiles schemas for one tokenizer."""

    def __init__(self, language_model: LanguageModel, ends: Collection[int]) -> None:
        from llguidance import LLTokenizer, TokenizerWrapper
        from llguidance.hf import from_tokenizer

        tokenizer: Any = language_model.tokenizer
        size = max(len(tokenizer), language_model.model.get_output_embeddings().weight.shape[0])
        eos = sorted(ends) or None
        try:
            self._tokenizer = from_tokenizer(tokenizer, n_vocab=size, eos_token=eos)
        except ValueError:  # a kind that the library does not know; it may still know what each token writes
            self._tokenizer = LLTokenizer(TokenizerWrapper(_Pieces(tokenizer, size, ends)), n_vocab=size, eos_token=eos)
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
