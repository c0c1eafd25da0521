"""What the process that writes texts is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from worker.contract import ModelSource


class Request(BaseModel):
    """A text to go on from: ``prompt``, or ``messages`` in the model's chat form, of which ``chat`` are the variables.
    ``prompt`` with ``chat`` is a user's message. ``name`` is what people call the model. ``tools`` are
    shown as the chat form has them; ``json_schema`` is what the text must fit. ``continue_answer``: the last message is an
    answer that has begun.

    ``temperature`` 0 always takes the likeliest token; ``top_k`` 0 and ``top_p`` 1 bar none. A prompt that is too long loses
    its beginning if it may be ``truncate``d. ``top_logprobs``: how many of the likeliest tokens to tell of, where
    ``logprobs`` are wanted; with ``echo`` those of the prompt too. The others are Sampling's.
    """

    id: int
    op: Literal["generate"]
    model: ModelSource
    name: str = ""
    device: str = "auto"
    prompt: str = ""
    messages: list[dict[str, Any]] | None = None
    continue_answer: bool = False
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
    json_schema: dict[str, Any] | None = None
    tools: list[Any] | None = None


class ScoreRequest(BaseModel):
    """A text to score, which is all text: special tokens that are typed in it are none. ``top``: how many of the likeliest
    tokens to tell of at each place. ``name`` is what people call the model."""

    id: int
    op: Literal["score"]
    model: ModelSource
    name: str = ""
    device: str = "auto"
    text: str
    top: int = Field(5, ge=0, le=20)
