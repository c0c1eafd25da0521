"""``python -m worker.generation``: the process that answers prompts, so that the server never loads torch.

Requests and replies are JSON, one a line, on standard input and output; standard error is a log.

    {"id": 1, "op": "generate", "model": {"kind", "location"}, "prompt": "...", ...}    see Request
    {"id": 1, "op": "cancel"}                                                           ends request 1 early

    {"id": 1, "event": "loading", "data": {}}               only where the model is not in memory yet
    {"id": 1, "event": "token", "data": {"text", "id", "logprob"?}}
    {"id": 1, "event": "done", "data": {"text", "prompt_tokens", "completion_tokens", "tokens_per_s", "finish_reason"}}
    {"id": 1, "event": "error", "data": {"code", "message", "hint"?}}

Requests are answered one at a time and in order. The end of standard input ends the process.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from worker.contract import ModelSource
from worker.errors import DeviceError, WorkerError

if TYPE_CHECKING:
    from worker.model import LanguageModel


class Request(BaseModel):
    """One prompt to answer. ``temperature`` 0 always takes the likeliest token; ``top_k`` 0 and ``top_p`` 1 bar none."""

    id: int
    op: Literal["generate"]
    model: ModelSource
    device: str = "auto"
    prompt: str
    max_new_tokens: int = Field(100, ge=1)
    temperature: float = Field(0.8, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    seed: int | None = None
    stop: list[str] = []
    logprobs: bool = False


class Inbox:
    """Reads lines in a thread of its own, so that a cancellation is noticed while a request is being answered."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._open: set[Any] = set()
        self._cancelled: set[Any] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            message = json.loads(line)
            if message["op"] != "cancel":
                self._open.add(message["id"])
                self._queue.put(message)
            elif message["id"] in self._open:
                self._cancelled.add(message["id"])
        self._queue.put(None)

    def next(self) -> dict[str, Any] | None:
        """The next request, as soon as there is one; None when there will be no more."""
        return self._queue.get()

    def is_cancelled(self, request_id: Any) -> bool:
        """Whether somebody cancelled this request."""
        return request_id in self._cancelled

    def close(self, request_id: Any) -> None:
        """Forgets a request that has been answered."""
        self._open.discard(request_id)
        self._cancelled.discard(request_id)


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
        from worker import model
        from worker.optimization import choose_device

        if self._model is None or not self.holds(source, device):
            model.quiet_libraries()
            self._model = None  # first, so that two models never share the memory
            self._key = (source, device, _fingerprint(source))
            loaded = model.load(source)
            loaded.model.to(choose_device(device))
            self._model = loaded
        return self._model

    def clear(self) -> None:
        """Frees the memory."""
        self._model = None


def _fingerprint(source: ModelSource) -> list[tuple[str, int, int]]:
    """Name, time and size of each file of weights; nothing for a hub model, whose files do not change in place."""
    if source.kind in ("hub", "built_in"):
        return []
    place = Path(source.location)
    files = [place] if source.kind == "gguf" else sorted(place.glob("*.safetensors"))
    return [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()]


class Answerer:
    """Answers requests on ``out``, one JSON line for each thing that happens."""

    def __init__(self, inbox: Inbox, out: IO[str]) -> None:
        self._inbox = inbox
        self._out = out
        self._shelf = Shelf()

    def answer(self, message: dict[str, Any]) -> None:
        """Answers one request; what goes wrong with it is told to whoever asked and leaves the process running."""
        try:
            self._generate(Request.model_validate(message))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            self._send(message["id"], "error", code="bad_request", message=f"{where}: {problem['msg']}")
        except WorkerError as error:
            code = "device_unavailable" if isinstance(error, DeviceError) else "model_unavailable"
            self._send(message["id"], "error", code=code, message=error.reason, hint=error.hint)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug costs one answer, not the process and the model it holds
            traceback.print_exc()
            self._send(message["id"], "error", code="internal", message=f"{type(error).__name__}: {error}")

    def _generate(self, request: Request) -> None:
        if not self._shelf.holds(request.model, request.device):
            self._send(request.id, "loading")
        import torch

        try:
            self._stream(request, self._shelf.get(request.model, request.device))
        except torch.OutOfMemoryError as error:
            self._shelf.clear()
            raise DeviceError("The device has no memory left for this model.", "Ask for fewer tokens.") from error

    def _stream(self, request: Request, language_model: LanguageModel) -> None:
        from worker.sampling import Sampling, encode_prompt, stream

        prompt_ids = encode_prompt(language_model, request.prompt)
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
            if self._inbox.is_cancelled(request.id):
                break
            text += piece.text
            count += 1
            chance = {"logprob": piece.logprob} if request.logprobs else {}
            self._send(request.id, "token", text=piece.text, id=piece.id, **chance)
            finish = piece.finish or finish
        self._send(
            request.id,
            "done",
            text=text,
            prompt_tokens=len(prompt_ids),
            completion_tokens=count,
            tokens_per_s=count / (time.perf_counter() - started),
            finish_reason=finish,
        )

    def _send(self, request_id: int, event: str, **data: Any) -> None:
        self._out.write(json.dumps({"id": request_id, "event": event, "data": data}) + "\n")
        self._out.flush()


def main() -> int:
    """Answers until standard input ends or nobody reads the answers any more."""
    # A library that prints must not break the protocol: replies keep the real standard output to themselves.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # see worker/__main__.py
    inbox = Inbox(sys.stdin)
    answerer = Answerer(inbox, out)
    try:
        while (message := inbox.next()) is not None:
            answerer.answer(message)
            inbox.close(message["id"])
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
