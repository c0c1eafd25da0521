"""Writes the texts that are asked for, all of a model's together: each in turn gets one token more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

import torch
from pydantic import BaseModel, Field

from worker.contract import ModelSource
from worker.errors import DeviceError, PromptError
from worker.generation.readers import Reader, Readers
from worker.generation.sampling import Piece, Prompt, Sampling, Writer, encode_chat, encode_prompt, score
from worker.generation.shelf import Held, Key, Shelf, key_of
from worker.models.loading import LanguageModel
from worker.protocol import Reply, answering


class Request(BaseModel):
    """A text to go on from: ``prompt``, or ``messages`` in the model's chat form, of which ``chat`` are the variables.
    ``prompt`` with ``chat`` is a user's message.

    ``temperature`` 0 always takes the likeliest token; ``top_k`` 0 and ``top_p`` 1 bar none. A prompt that is too long loses
    its beginning if it may be ``truncate``d. ``top_logprobs``: how many of the likeliest tokens to tell of, where
    ``logprobs`` are wanted; with ``echo`` those of the prompt too. The others are Sampling's.
    """

    id: int
    op: Literal["generate"]
    model: ModelSource
    device: str = "auto"
    prompt: str = ""
    messages: list[dict[str, Any]] | None = None
    chat: dict[str, Any] | None = None
    max_new_tokens: int = Field(100, ge=0)
    temperature: float = Field(0.8, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    seed: int | None = None
    stop: list[str] = []
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0)
    truncate: bool = True
    echo: bool = False
    min_p: float = Field(0.0, ge=0, le=1)
    repetition_penalty: float = Field(1.0, gt=0)
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = {}


@contextmanager
def _out_of_memory_told() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("The device has no memory left for this model.", "Ask for fewer tokens.") from error


@dataclass
class Order:
    """A text that was asked for, and what there is of it."""

    request: Request
    reply: Reply
    writer: Writer
    prompt: Prompt
    tokenizer: Any
    started: float = field(default_factory=time.perf_counter)
    text: str = ""
    count: int = 0

    def send(self, piece: Piece) -> None:
        """Tells of a token."""
        self.text, self.count = self.text + piece.text, self.count + 1
        self.reply.send("token", **self._told(piece))
        if piece.finish:
            self.end(piece.finish)

    def send_prompt(self, pieces: Iterable[Piece]) -> None:
        """Tells of the prompt's tokens."""
        self.reply.send("prompt", tokens=[self._told(piece) for piece in pieces])

    def _told(self, piece: Piece) -> dict[str, Any]:
        told = {"text": piece.text, "id": piece.id}
        if self.request.logprobs:
            told["logprob"] = piece.logprob
        if self.request.top_logprobs is not None:
            top = [{"token": self._decoded(token), "logprob": logprob} for token, logprob in piece.top]
            told |= {"token": self._decoded(piece.id), "top_logprobs": top}
        return told

    def _decoded(self, token: int) -> str:
        text: str = self.tokenizer.decode([token])
        return text

    def end(self, finish: str) -> None:
        """Tells of the whole."""
        self.reply.send(
            "done",
            text=self.text,
            prompt_tokens=len(self.prompt.ids),
            truncated_tokens=self.prompt.truncated,
            completion_tokens=self.count,
            tokens_per_s=self.count / (time.perf_counter() - self.started),
            finish_reason=finish,
        )


class Desk:
    """The orders of one model. Those that a model cannot read side by side are read one after another, token by token."""

    def __init__(self, held: Held) -> None:
        self.orders: list[Order] = []
        self._model = held.language_model.model
        self._together = Readers(self._model) if held.side_by_side else None
        self._alone: list[Reader] = []

    def add(self, order: Order) -> None:
        """Reads the prompt and writes the first token."""
        if self._together:
            logits = self._together.add(order.writer.unread)
        else:
            self._alone.append(Reader(self._model))
            logits = self._alone[-1].logits_after(order.writer.unread)
        self.orders.append(order)
        order.send(order.writer.choose(logits))
        self.clear()

    def step(self) -> None:
        """Writes a token of each order."""
        unread = [order.writer.unread for order in self.orders]
        if self._together:
            logits = self._together.read([token for (token,) in unread])
        else:
            logits = torch.cat([reader.logits_after(ids) for reader, ids in zip(self._alone, unread, strict=True)])
        for number, order in enumerate(self.orders):
            order.send(order.writer.choose(logits[number : number + 1]))

    def clear(self) -> None:
        """Puts away the orders that are done, or that nobody waits for any more."""
        for order in self.orders:
            if not order.writer.finish and order.reply.is_cancelled():
                order.writer.finish = "cancelled"
                order.end("cancelled")
        left = [number for number, order in enumerate(self.orders) if not order.writer.finish]
        if len(left) == len(self.orders):
            return
        if self._together:
            self._together.keep(left)
        else:
            self._alone = [self._alone[number] for number in left]
        self.orders = [self.orders[number] for number in left]


def _prompt_of(language_model: LanguageModel, request: Request) -> Prompt:
    if request.messages is not None:
        prompt = encode_chat(language_model, request.messages, request.chat or {})
    else:
        prompt = encode_prompt(language_model, request.prompt, chat=request.chat)
    known: int = cast(Any, language_model.model.get_input_embeddings()).num_embeddings
    if odd := next((token for token in request.logit_bias if not 0 <= token < known), None):
        raise PromptError(f"logit_bias names the token {odd}, and the model knows those from 0 to {known - 1}.")
    if prompt.truncated and not request.truncate:
        length = len(prompt.ids) + prompt.truncated
        raise PromptError(f"The prompt is {length:,} tokens long, and the model reads {language_model.context:,} at most.")
    return prompt


class Engine:
    def __init__(self) -> None:
        self._shelf = Shelf()
        self._desks: dict[Key, Desk] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is being written."""
        return bool(self._desks)

    @torch.inference_mode()
    def begin(self, request: Request, reply: Reply) -> None:
        """Reads a prompt and writes the first token. Raises WorkerError."""
        key = key_of(request.model, request.device)
        if key not in self._shelf:
            reply.send("loading")
        held = self._shelf.get(request.model, key, used=self._desks)
        language_model = held.language_model
        prompt = _prompt_of(language_model, request)
        wanted = request.model_dump(include={each.name for each in fields(Sampling)})
        lists = {"stop": tuple(request.stop), "logit_bias": tuple(request.logit_bias.items())}
        sampling = Sampling(**{**wanted, **lists, "top_logprobs": request.top_logprobs or 0})
        order = Order(request, reply, Writer(language_model, prompt.ids, sampling), prompt, language_model.tokenizer)
        if reply.is_cancelled():
            return order.end("cancelled")
        desk = self._desks.get(key) or Desk(held)
        with _out_of_memory_told():
            if request.echo:
                order.send_prompt(score(language_model, prompt.ids, sampling.top_logprobs))
            if not request.max_new_tokens:
                return order.end("length")
            desk.add(order)
        if desk.orders:
            self._desks[key] = desk
        return None

    @torch.inference_mode()
    def step(self) -> None:
        """Writes a token of every text. What goes wrong with a model ends its texts, and no others."""
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
