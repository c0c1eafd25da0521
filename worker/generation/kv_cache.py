"""Keys and values of what has been read, with room for more: transformers' own cache copies all of them for each token."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_LEAST_ROOM = 24  # tokens
_ROOM_SHARE = 4  # of what there is, a quarter


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """``keys`` and ``values`` [texts, heads, length, width] are the beginnings of tensors that are longer."""

    keys: torch.Tensor
    values: torch.Tensor
    _roomy_keys: torch.Tensor
    _roomy_values: torch.Tensor

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if length == 0:  # as it comes, without a copy: what is put together anew for each text that comes or goes is large
            self._roomy_keys, self._roomy_values = key_states, value_states
        else:
            if end > self._roomy_keys.shape[-2]:
                room = end + max(_LEAST_ROOM, end // _ROOM_SHARE)
                self._roomy_keys, self._roomy_values = _longer(key_states, room), _longer(value_states, room)
                self._roomy_keys[..., :length, :], self._roomy_values[..., :length, :] = self.keys, self.values
            self._roomy_keys[..., length:end, :], self._roomy_values[..., length:end, :] = key_states, value_states
        self.keys, self.values = self._roomy_keys[..., :end, :], self._roomy_values[..., :end, :]
        return self.keys, self.values


def _longer(tensor: torch.Tensor, length: int) -> torch.Tensor:
    return tensor.new_empty(*tensor.shape[:-2], length, tensor.shape[-1])


def roomy_cache() -> DynamicCache:
    """An empty one, for a model whose layers all remember everything."""
    cache = DynamicCache()
    cache.layer_class_to_replicate = _RoomyLayer
    return cache
