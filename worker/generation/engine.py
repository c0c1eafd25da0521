"""Writes the texts that are asked for, all of a model's together: each in turn gets one token more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, cast

import torch

from worker.devices.device import choose_device
from worker.errors import DeviceError, PromptError, StopRequested
from worker.generation.adapters import split
from worker.generation.desk import Desk, Order
from worker.generation.loader import Loading, ModelLoader
from worker.generation.sampling import Prompt, Sampling, Writer, encode_chat, encode_prompt, score
from worker.generation.scoring import Scoring
from worker.generation.shelf import Held, Key, Shelf, key_of
from worker.generation.text_request import Request, ScoreRequest
from worker.models.loading import LanguageModel
from worker.protocol import Reply, answering


@contextmanager
def _out_of_memory_told() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("The device has no memory left for this model.", "Ask for fewer tokens.") from error


def _prompt_of(language_model: LanguageModel, request: Request) -> Prompt:
    if request.messages is not None:
        messages = request.messages[:-1] if request.continue_answer else request.messages
        begun = request.messages[-1]["content"] if request.continue_answer else ""
        prompt = encode_chat(language_model, messages, request.chat or {}, tools=request.tools, begun=begun)
    else:
        prompt = encode_prompt(language_model, request.prompt, chat=request.chat)
    known: int = cast(Any, language_model.model.get_input_embeddings()).num_embeddings
    if odd := next((token for token in request.logit_bias if not 0 <= token < known), None):
        raise PromptError(f"logit_bias names the token {odd}, and the model knows those from 0 to {known - 1}.")
    if prompt.truncated and not request.truncate:
        length = len(prompt.ids) + prompt.truncated
        raise PromptError(f"The prompt is {length:,} tokens long, and the model reads {language_model.context:,} at most.")
    return prompt


def _order_of(language_model: LanguageModel, request: Request, reply: Reply) -> Order:
    prompt = _prompt_of(language_model, request)
    wanted = request.model_dump(include={each.name for each in fields(Sampling)})
    schema = None if request.json_schema is None else json.dumps(request.json_schema)
    lists = {"stop": tuple(request.stop), "logit_bias": tuple(request.logit_bias.items()), "json_schema": schema}
    sampling = Sampling(**{**wanted, **lists, "top_logprobs": request.top_logprobs or 0})
    return Order(request, reply, Writer(language_model, prompt.ids, sampling), prompt, language_model)


class Engine:
    """``wake`` is called, from another thread, when ``step`` has something new to do."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._shelf = Shelf()
        self._desks: dict[Key, Desk] = {}
        self._scorings: list[tuple[Key, Scoring]] = []
        self._loader = ModelLoader(wake)
        self._loading: dict[Key, Loading] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is being written or scored."""
        return bool(self._desks or self._scorings)

    def state(self) -> dict[str, Any]:
        """The models in memory, with how many texts each writes, and those on their way there; sizes in bytes."""
        return {
            "models": [
                {
                    "name": held.name,
                    "device": str(held.device),
                    "bytes": held.bytes,
                    "texts": len(self._desks[key].orders) if key in self._desks else 0,
                }
                for key, held in self._shelf.items()
            ],
            "loading": [{"name": each.name, "bytes": each.bytes, "total": each.total} for each in self._loading.values()],
        }

    def begin(self, request: Request | ScoreRequest, reply: Reply) -> None:
        """Reads a prompt and writes the first token, or takes in a text to score; if the model is still to be loaded, once
        it is. Raises WorkerError."""
        source, adapter = split(request.model)
        key = key_of(source, request.device)
        if held := self._shelf.find(key):
            language_model = held.language_model(adapter, self._voices(key))
            if isinstance(request, Request):
                return self._write(key, held, language_model, request, reply)
            return self._scorings.append((key, Scoring(request, language_model, reply)))
        reply.send("loading")
        if key not in self._loading:
            device = choose_device(request.device)
            self._shelf.prepare(key, device, self._used())
            name = f"base of {request.name}" if adapter else request.name
            self._loading[key] = Loading(source, device, name)
            self._loading[key].waiting.append((request, reply))
            return self._loader.start(self._loading[key])
        return self._loading[key].waiting.append((request, reply))

    @torch.inference_mode()
    def step(self) -> None:
        """Writes a token of every text, and scores a window of each that is scored. What goes wrong with a model ends its
        texts, and no others."""
        self._take_loaded()
        for loading in self._loading.values():
            loading.tell()
        for place in reversed(range(len(self._scorings))):
            done, (_, scoring) = True, self._scorings[place]
            with answering(scoring.reply), _out_of_memory_told():
                done = scoring.step()
            if done:
                del self._scorings[place]
        for key, desk in list(self._desks.items()):
            with answering(*(order.reply for order in desk.orders)) as outcome, _out_of_memory_told():
                desk.clear()
                if desk.orders:
                    desk.step()
                    desk.clear()
            if outcome.failed:
                self._shelf.forget(key)
            if outcome.failed or not desk.orders:
                del self._desks[key]

    def free(self) -> None:
        """Forgets all models that write and score nothing now."""
        used = self._used()
        for key, _ in self._shelf.items():
            if key not in used:
                self._shelf.forget(key)

    def close(self) -> None:
        """Ends what is being loaded."""
        self._loader.close()

    def _used(self) -> set[Key]:
        return {*self._desks, *(key for key, _ in self._scorings)}

    def _voices(self, key: Key) -> set[str]:
        scored = {scoring.voice for other, scoring in self._scorings if other == key}
        return scored | {order.voice for order in self._desks[key].orders} if key in self._desks else scored

    def _take_loaded(self) -> None:
        for key, loading in [(key, loading) for key, loading in self._loading.items() if loading.held.done()]:
            del self._loading[key]
            failure = loading.held.exception()
            if failure is None:
                self._shelf.put(key, loading.held.result(), self._used())
            for request, reply in loading.waiting:
                with answering(reply):
                    # Given up, as nobody waited: who came before that was noticed has it loaded after all.
                    if failure and (reply.is_cancelled() or not isinstance(failure, StopRequested)):
                        raise failure
                    self.begin(request, reply)

    @torch.inference_mode()
    def _write(self, key: Key, held: Held, language_model: LanguageModel, request: Request, reply: Reply) -> None:
        order = _order_of(language_model, request, reply)
        if reply.is_cancelled():
            return order.end("cancelled")
        desk = self._desks.get(key) or Desk(held)
        with _out_of_memory_told():
            if request.echo:
                order.send_prompt(score(language_model, order.prompt.ids, request.top_logprobs or 0))
            if not request.max_new_tokens:
                return order.end("length")
            desk.add(order)
        if desk.orders:
            self._desks[key] = desk
        return None
