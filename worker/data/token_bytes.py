"""The bytes of text that a token stands for: how many, so that what models make of a text compares across tokenizers, and
which, where that does not depend on its neighbours."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.data.chats.special_tokens import special_ids

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_BLANK = "\u2581"  # SentencePiece's sign for a blank


class TokenBytes:
    """Counts the UTF-8 bytes of tokens, each once. A special token stands for none: no text shows it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = special_ids(tokenizer)
        self._added: dict[int, str] = {token: str(added) for token, added in tokenizer.added_tokens_decoder.items()}
        backend = getattr(tokenizer, "backend_tokenizer", None)
        decoder = "" if backend is None or backend.decoder is None else backend.decoder.__getstate__().decode()
        self._single_bytes = backend is None  # those of ByT5, a character each
        self._byte_level = '"ByteLevel"' in decoder
        self._blanks = not self._byte_level and _BLANK in decoder
        self._falls_back = '"ByteFallback"' in decoder
        self._known: dict[int, int] = {}

    def of(self, ids: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """The bytes of each of ``ids`` within a text."""
        distinct, places = np.unique(ids, return_inverse=True)
        counts = np.fromiter(map(self._count, distinct.tolist()), dtype=np.int64, count=len(distinct))
        return counts[places].reshape(ids.shape)

    def leading(self, token: int) -> int:
        """The bytes of a token that a text begins with: SentencePiece puts a blank before it that is not in the text."""
        count = self._count(token)
        if not self._blanks or token in self._added or not self._tokenizer.convert_ids_to_tokens(token).startswith(_BLANK):
            return count
        return count if str(self._tokenizer.decode([token])).startswith(" ") else count - 1

    def _count(self, token: int) -> int:
        if token not in self._known:
            self._known[token] = self._counted(token)
        return self._known[token]

    def written(self, token: int) -> bytes | None:
        """What a token writes within a text; None where that depends on others, or is better told by its own kind."""
        if token in self._special:
            return b""
        if token in self._added:
            return self._added[token].encode()
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:  # the vocabulary has gaps, or the model more rows than tokens
            return b""
        if self._byte_level:
            return None
        if self._single_bytes and len(piece) == 1 and ord(piece) < 256:
            return bytes([ord(piece)])
        if self._falls_back and _BYTE.fullmatch(piece):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(_BLANK, " ").encode() if self._blanks else None

    def _counted(self, token: int) -> int:
        written = self.written(token)
        if written is not None:
            return len(written)
        if self._byte_level:
            return len(self._tokenizer.convert_ids_to_tokens(token))  # a character for each byte
        # After itself, for some write a blank before a word, and none before the first.
        alone, twice = (len(str(self._tokenizer.decode([token] * times)).encode()) for times in (1, 2))
        return twice - alone
