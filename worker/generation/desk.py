"""The texts that one model is writing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from worker.generation.adapters import voice_of
from worker.generation.readers import Reader, Readers
from worker.generation.sampling import Piece, Prompt, Writer
from worker.generation.shelf import Held
from worker.generation.text_request import Request
from worker.models.loading import LanguageModel
from worker.protocol import Reply, answering


@dataclass
class Order:
    """A text that was asked for, and what there is of it."""

    request: Request
    reply: Reply
    writer: Writer
    prompt: Prompt
    language_model: LanguageModel
    started: float = field(default_factory=time.perf_counter)
    text: str = ""
    count: int = 0

    @property
    def voice(self) -> str:
        """The name that its row has where several adapters share a model."""
        return voice_of(self.language_model)

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
        return str(self.language_model.tokenizer.decode([token]))

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
            stop_string=self.writer.stop_string,
        )


class Desk:
    """The orders of one model. Those that a model cannot read side by side are read one after another, token by token."""

    def __init__(self, held: Held) -> None:
        self.orders: list[Order] = []
        self._together = Readers(held.shared) if held.side_by_side else None
        self._alone: list[Reader] = []

    def add(self, order: Order) -> None:
        """Reads the prompt and writes the first token."""
        if self._together:
            logits = self._together.add(order.writer.unread, order.voice)
        else:
            self._alone.append(Reader(order.language_model.model))
            logits = self._alone[-1].logits_after(order.writer.unread)
        self.orders.append(order)
        self._write(order, logits)
        self.clear()

    def step(self) -> None:
        """Writes a token of each order."""
        unread = [order.writer.unread for order in self.orders]
        if self._together:
            logits = self._together.read([token for (token,) in unread])
        else:
            logits = torch.cat([reader.logits_after(ids) for reader, ids in zip(self._alone, unread, strict=True)])
        for number, order in enumerate(self.orders):
            self._write(order, logits[number : number + 1])

    @staticmethod
    def _write(order: Order, logits: torch.Tensor) -> None:
        """One token. What goes wrong with it ends this text and no other."""
        with answering(order.reply) as outcome:
            order.send(order.writer.choose(logits))
        if outcome.failed:
            order.writer.finish = "cancelled"

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
