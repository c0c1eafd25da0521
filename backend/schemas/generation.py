"""What is asked of a model, and what people say of its answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.base import Schema
from backend.schemas.data import Dataset

Prompt = Annotated[str, Field(max_length=100_000)]
ModelName = Annotated[str, Field(min_length=1, max_length=200)]


class Turn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Prompt


Conversation = Annotated[list[Turn], Field(min_length=1, max_length=1000)]


class SamplingSettings(BaseModel):
    """How tokens are chosen. ``temperature`` 0 always takes the likeliest; ``top_k`` 0, ``top_p`` 1 and ``min_p`` 0 bar
    none. The same ``seed`` gives the same answer; null a new one each time."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    max_new_tokens: int = Field(100, ge=0, le=1024)
    temperature: float = Field(0.8, ge=0, le=5)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0, le=1_000_000)
    min_p: float = Field(0.0, ge=0, le=1, description="Only tokens at least this likely, as a share of the likeliest")
    repetition_penalty: float = Field(1.0, gt=0, le=10, description="Above 1: what was said becomes less likely")
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    stop: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field([], max_length=16)


class RatedAnswer(BaseModel):
    """A model's answer; the model is called what it was called then, and may be gone."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    text: Prompt


class NewVote(BaseModel):
    """What a person found of two answers to one ``prompt``, or to one conversation, ``messages``. ``chosen`` is the better
    one, unless they were ``equal`` or ``both_bad``. ``blind``: the models' names were hidden."""

    model_config = ConfigDict(extra="forbid")

    prompt: Prompt | None = None
    messages: Conversation | None = None
    chosen: RatedAnswer
    rejected: RatedAnswer
    verdict: Literal["better", "equal", "both_bad"] = "better"
    blind: bool = False
    settings: SamplingSettings | None = None


class Vote(NewVote):
    id: str
    time: str


class Standing(Schema):
    """Votes of one model against all others, or of ``model`` against ``other``. ``win_rate``: its share of the ``votes``, of
    which each that was ``equal`` or ``both_bad`` counts half."""

    model: str
    other: str | None = None
    votes: int
    won: int
    lost: int
    equal: int
    both_bad: int
    win_rate: float


class VoteList(Schema):
    """The newest ``items`` first, of ``total``. The standings are of all votes but those between a model and itself."""

    items: list[Vote]
    total: int
    models: list[Standing]
    pairs: list[Standing]


class PreferenceData(Schema):
    """The datasets that were made; ``left_out`` votes are in none: for neither answer, or the only one of its kind."""

    items: list[Dataset]
    left_out: int
