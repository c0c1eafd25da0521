"""How a model reads texts bit by bit: one alone, or several together, which cost hardly more than one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import DynamicCache

from worker.generation.kv_cache import roomy_cache

_MEMORIES = ("past_key_values", "cache_params", "state")  # attention's, Mamba's and RWKV's, given out and taken in again
_PROBES = ((3, 1, 4, 1, 5, 9, 2), (2, 7, 1))  # token ids, of unequal number
_TOLERANCE = 1e-3  # of the largest logit


class Reader:
    """Has a model read a text bit by bit, and keeps what it needs to remember of what it has read.

    A model that remembers nothing (OpenAI-GPT), or only within itself, where texts would mix, reads all of it each time.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._text = torch.zeros(1, 0, dtype=torch.long, device=model.device)
        self._memory: dict[str, Any] | None = {}
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def logits_after(self, ids: Sequence[int]) -> torch.Tensor:
        """The logits [1, vocabulary], on the CPU, of what follows ``ids`` and all that was read before."""
        new = torch.tensor([list(ids)], device=self._text.device)
        self._text = torch.cat((self._text, new), dim=1)
        inputs = new if self._memory else self._text
        told = {}
        if self._takes_positions:  # left to itself, Bamba counts them from 0 each time
            end = self._text.shape[1]
            told["position_ids"] = torch.arange(end - inputs.shape[1], end, device=inputs.device)[None]
        remembers = self._memory is not None
        output = self._model(input_ids=inputs, use_cache=remembers, logits_to_keep=1, **told, **(self._memory or {}))
        self._memory = {name: output[name] for name in _MEMORIES if output.get(name) is not None} or None
        return _last_of(output.logits)


class Readers:
    """Several texts that a model reads in one pass each, side by side. What is missing to the longest stands on the left
    of a text, where nothing looks. Texts may come and go at any time. Of a model that adapters share, each text has its own.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._forget()

    def _forget(self) -> None:
        self._cache = roomy_cache()
        self._adapters: list[str] = []
        self._padding = torch.zeros(0, dtype=torch.long, device=self._model.device)  # [texts], in tokens
        self._padded = False
        self._length = 0  # tokens read of the longest one

    def add(self, ids: Sequence[int], adapter: str | None = None) -> torch.Tensor:
        """Reads the beginning of one more text, which is then the last one: its logits [1, vocabulary], on the CPU."""
        inputs = torch.tensor([list(ids)], device=self._padding.device)
        cache = roomy_cache()
        places = torch.arange(len(ids), device=inputs.device)[None]
        told: dict[str, Any] = {"position_ids": places, "past_key_values": cache}
        if adapter:
            told["adapter_names"] = [adapter]
        output = self._model(input_ids=inputs, use_cache=True, logits_to_keep=1, **told)
        length = max(self._length, len(ids))
        more, added = length - self._length if len(self._padding) else 0, length - len(ids)
        if len(self._padding):
            layers = zip(self._cache.layers, cache.layers, strict=True)
            cache = _cache_of(
                tuple(torch.cat((_padded(old, more), _padded(new, added))) for old, new in zip(*map(_of, both), strict=True))
                for both in layers
            )
        self._cache, self._length = cache, length
        self._adapters += [adapter] if adapter else []
        self._padding = torch.cat((self._padding + more, torch.tensor([added], device=self._padding.device)))
        self._padded = self._padded or more > 0 or added > 0
        return _last_of(output.logits)

    def read(self, tokens: Sequence[int]) -> torch.Tensor:
        """Reads one token more of each text: the logits [texts, vocabulary], on the CPU."""
        inputs = torch.tensor(tokens, device=self._padding.device)[:, None]
        seen = torch.arange(self._length + 1, device=inputs.device) >= self._padding[:, None]
        output = self._model(
            input_ids=inputs,
            attention_mask=seen.long() if self._padded else None,  # without one a text alone takes a tenth less
            position_ids=(self._length - self._padding)[:, None],
            past_key_values=self._cache,
            use_cache=True,
            **({"adapter_names": self._adapters} if self._adapters else {}),
        )
        self._length += 1
        return _last_of(output.logits)

    def keep(self, numbers: Sequence[int]) -> None:
        """Forgets all texts but these, by number."""
        if not numbers:
            return self._forget()
        rows = torch.tensor(numbers, device=self._padding.device)
        self._adapters = [self._adapters[number] for number in numbers] if self._adapters else []
        self._padding = self._padding[rows]
        spare = int(self._padding.min())
        self._cache = _cache_of(tuple(each[rows, :, spare:] for each in _of(layer)) for layer in self._cache.layers)
        self._padding, self._length = self._padding - spare, self._length - spare
        self._padded = bool(self._padding.any())
        return None


def _last_of(logits: torch.Tensor) -> torch.Tensor:
    """[texts, tokens, vocabulary] to [texts, vocabulary] on the CPU."""
    return logits[:, -1].float().cpu()


def _of(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values [texts, heads, length, width]."""
    return layer.keys, layer.values


def _padded(tensor: torch.Tensor, number: int) -> torch.Tensor:
    """With so many more places on the left of [texts, heads, length, width]."""
    return F.pad(tensor, (0, 0, number, 0)) if number else tensor


def _cache_of(layers: Iterable[tuple[torch.Tensor, ...]]) -> DynamicCache:
    cache = roomy_cache()
    for number, (keys, values) in enumerate(layers):
        cache.update(keys, values, number)
    return cache


@torch.inference_mode()
def reads_side_by_side(model: Any) -> bool:
    """Whether ``model`` makes the same of a text beside others as alone, which is tried: not all know such a memory."""
    side_by_side, alone = Readers(model), [Reader(model) for _ in _PROBES]
    try:
        together = [side_by_side.add(ids) for ids in _PROBES]
        apart = [reader.logits_after(ids) for reader, ids in zip(alone, _PROBES, strict=True)]
        together.append(side_by_side.read([1, 2]))
        apart.append(torch.cat([reader.logits_after([token]) for reader, token in zip(alone, (1, 2), strict=True)]))
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError):  # each has its own way to say that it cannot
        return False
    found, expected = torch.cat(together), torch.cat(apart)
    return found.shape == expected.shape and bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())
