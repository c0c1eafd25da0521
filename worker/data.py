"""From a text file to token ids: read, split, tokenise once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worker.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

_TOKENIZE_AT_ONCE = 1000


def read_lines(path: Path) -> list[str]:
    """The file's lines without surrounding blanks, empty ones left out. UTF-8, with or without a byte-order mark.

    Raises DataError if there is no such file, it is not UTF-8, or no line holds text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = [text for line in file if (text := line.strip())]
    except FileNotFoundError:
        raise DataError(f"The dataset {path} is gone.", "Upload the file again, or pick another dataset.") from None
    except UnicodeDecodeError:
        line = _first_bad_line(path)
        raise DataError(
            f"Line {line} of {path.name} is not UTF-8 text.", "Save the file as UTF-8 and upload it again."
        ) from None
    if not lines:
        raise DataError(f"{path.name} holds no text.", "Put one example on each line.")
    return lines


def _first_bad_line(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    raise AssertionError("called for a file that is UTF-8")


def split_texts(texts: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """``texts`` as (to learn from, to be tested on), about ``share`` of them in the second.

    A text's side depends on the text alone: a duplicate never sits on both, and neither a new seed nor added lines
    move a text across. With two different texts or more and a share above 0, neither side is empty.
    """
    unique = sorted(set(texts), key=_place)
    if share == 0 or len(unique) < 2:
        return list(texts), []
    lines, room = Counter(texts), len(texts) / 2  # a line that is repeated all over must not take the test side for itself
    test: set[str] = set()
    for text in unique:
        if test and _place(text) >= share:
            break
        if lines[text] <= room:
            test.add(text)
            room -= lines[text]
    return [text for text in texts if text not in test], [text for text in texts if text in test]


def _place(text: str) -> float:
    """A number in [0, 1) that looks random and is the same for the same text on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


@dataclass(frozen=True)
class Examples:
    """Token ids of many examples, end to end. Example i is ``tokens[offsets[i]:offsets[i + 1]]``.

    ``cut`` counts examples that were longer than the limit, ``dropped`` those with nothing to predict.
    """

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    cut: int = 0
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def trained(self) -> NDArray[np.int64]:
        """Predictions each example gives: one for every token but the first."""
        return np.diff(self.offsets) - 1


def tokenize(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int, check: Callable[[], None] = lambda: None
) -> Examples:
    """Encodes each text, ends it with the end-of-text token, and cuts it at ``max_length`` tokens.

    Examples of fewer than two tokens are dropped. ``check`` is called now and then and may raise to give up.
    """
    eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    parts: list[NDArray[np.int32]] = []
    cut = dropped = 0
    for start in range(0, len(texts), _TOKENIZE_AT_ONCE):
        check()
        encoded = tokenizer(list(texts[start : start + _TOKENIZE_AT_ONCE]), return_attention_mask=False, verbose=False)
        for ids in encoded["input_ids"]:
            if ids[-1:] != eos:
                ids = ids + eos
            cut += len(ids) > max_length
            dropped += len(ids) < 2
            if len(ids) >= 2:
                parts.append(np.asarray(ids[:max_length], dtype=np.int32))
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    tokens = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    return Examples(tokens, offsets, cut, dropped)
