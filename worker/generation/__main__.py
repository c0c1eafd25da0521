"""``python -m worker.generation``: the process that answers prompts, so that the server never loads torch.

The protocol is that of ``worker.protocol``:

    {"id": 1, "op": "generate", "model": {"kind", "location"}, "prompt": "...", ...}    see Request

    {"id": 1, "event": "loading", "data": {}}               only where the model is not in memory yet
    {"id": 1, "event": "token", "data": {"text", "id", "logprob"?}}
    {"id": 1, "event": "done", "data": {"text", "prompt_tokens", "completion_tokens", "tokens_per_s", "finish_reason"}}
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from worker.contract import ModelSource, base_of, is_adapter
from worker.errors import DeviceError
from worker.protocol import Reply, serve

if TYPE_CHECKING:
    from worker.models.loading import LanguageModel


class Request(BaseModel):
    """One prompt to answer; ``chat`` is that of ``encode_prompt``.

    ``temperature`` 0 always takes the likeliest token; ``top_k`` 0 and ``top_p`` 1 bar none.
    """

    id: int
    op: Literal["generate"]
    model: ModelSource
    device: str = "auto"
    prompt: str
    chat: dict[str, Any] | None = None
    max_new_tokens: int = Field(100, ge=1)
    temperature: float = Field(0.8, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    seed: int | None = None
    stop: list[str] = []
    logprobs: bool = False


class Shelf:
    """Keeps the last model in memory, and loads it anew when its files have changed."""

    def __init__(self) -> None:
        self._key: Any = None
        self._model: LanguageModel | None = None

    def holds(self, source: ModelSource, device: str) -> bool:
        """Whether ``get`` would answer at once."""
        return self._model is not None and self._key == (source, device, _fingerprint(source))

    def get(self, source: ModelSource, device: str) -> LanguageModel:
        """The model, on ``device``. Raises WorkerError if it cannot be had."""
        from worker.devices.device import choose_device
        from worker.models import loading

        if self._model is None or not self.holds(source, device):
            loading.quiet_libraries()
            self._model = None  # first, so that two models never share the memory
            self._key = (source, device, _fingerprint(source))
            loaded = loading.load_model(source)
            loaded.model.to(choose_device(device))
            self._model = loaded
        return self._model

    def clear(self) -> None:
        """Frees the memory."""
        self._model = None


def _fingerprint(source: ModelSource) -> list[tuple[str, int, int]]:
    """Name, time and size of each file of weights, also of an adapter's base; nothing for a hub model, whose files do not
    change in place."""
    if source.kind in ("hub", "built_in"):
        return []
    place = Path(source.location)
    files = [place] if source.kind == "gguf" else sorted(place.glob("*.safetensors"))
    found = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()]
    if source.kind == "folder" and is_adapter(place):
        with suppress(ValueError):  # loading says what is wrong with it
            found += _fingerprint(base_of(place))
    return found


class Answerer:
    """Answers prompts with the model it holds."""

    def __init__(self) -> None:
        self._shelf = Shelf()

    def answer(self, message: dict[str, Any], reply: Reply) -> None:
        """Answers one request. Raises WorkerError, or pydantic's ValidationError."""
        request = Request.model_validate(message)
        if not self._shelf.holds(request.model, request.device):
            reply.send("loading")
        import torch

        try:
            self._stream(request, self._shelf.get(request.model, request.device), reply)
        except torch.OutOfMemoryError as error:
            self._shelf.clear()
            raise DeviceError("The device has no memory left for this model.", "Ask for fewer tokens.") from error

    def _stream(self, request: Request, language_model: LanguageModel, reply: Reply) -> None:
        from worker.generation.sampling import Sampling, encode_prompt, stream

        prompt_ids = encode_prompt(language_model, request.prompt, chat=request.chat)
        sampling = Sampling(
            max_new_tokens=request.max_new_tokens,
            temperature=request.temperature,
            top_k=request.top_k,
            top_p=request.top_p,
            seed=request.seed,
            stop=tuple(request.stop),
        )
        started = time.perf_counter()
        text, count, finish = "", 0, "cancelled"
        for piece in stream(language_model, prompt_ids, sampling):
            if reply.is_cancelled():
                break
            text += piece.text
            count += 1
            chance = {"logprob": piece.logprob} if request.logprobs else {}
            reply.send("token", text=piece.text, id=piece.id, **chance)
            finish = piece.finish or finish
        reply.send(
            "done",
            text=text,
            prompt_tokens=len(prompt_ids),
            completion_tokens=count,
            tokens_per_s=count / (time.perf_counter() - started),
            finish_reason=finish,
        )


if __name__ == "__main__":
    sys.exit(serve(Answerer().answer))
