"""What clients of OpenAI's API send: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "audio": (None,),
    "best_of": (None, 1),
    "function_call": (None, "none", "auto"),
    "functions": (None, []),
    "modalities": (None, ["text"]),
    "reasoning_effort": (None,),
    "response_format": (None, {"type": "text"}),
    "suffix": (None, ""),
    "tool_choice": (None, "none", "auto"),
    "tools": (None, []),
    "web_search_options": (None,),
}
"""Fields that would change the answer and that we do not have, with the values that change nothing. Others are ignored."""

Stop = Annotated[str, Field(min_length=1, max_length=200)]


class StreamOptions(BaseModel):
    include_usage: bool | None = False


class Common(BaseModel):
    """What both kinds of request have. ``temperature`` 0 always takes the likeliest token."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field(min_length=1, max_length=200)
    n: int | None = Field(1, ge=1, le=8)
    temperature: float | None = Field(1.0, ge=0, le=5)
    top_p: float | None = Field(1.0, gt=0, le=1)
    top_k: int | None = Field(0, ge=0, le=1_000_000)
    min_p: float | None = Field(0.0, ge=0, le=1)
    repetition_penalty: float | None = Field(1.0, gt=0, le=10)
    presence_penalty: float | None = Field(0.0, ge=-2, le=2)
    frequency_penalty: float | None = Field(0.0, ge=-2, le=2)
    logit_bias: Annotated[dict[int, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=1024)] | None = None
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None

    def unsupported(self) -> str | None:
        """The name of a field that asks for what we do not have."""
        given = self.model_extra or {}
        return next((name for name, neutral in NEUTRAL.items() if name in given and given[name] not in neutral), None)

    def sampling(self) -> dict[str, Any]:
        """As the generation process takes it."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return {
            "temperature": 1.0 if self.temperature is None else self.temperature,
            "top_p": self.top_p or 1.0,
            "top_k": self.top_k or 0,
            "min_p": self.min_p or 0.0,
            "repetition_penalty": self.repetition_penalty or 1.0,
            "presence_penalty": self.presence_penalty or 0.0,
            "frequency_penalty": self.frequency_penalty or 0.0,
            "logit_bias": self.logit_bias or {},
            "seed": self.seed,
            "stop": stop,
        }


class Completion(Common):
    prompt: Annotated[str, Field(max_length=400_000)] | Annotated[list[str], Field(min_length=1, max_length=8)]
    max_tokens: int | None = Field(16, ge=0, le=100_000)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = False


class Part(BaseModel):
    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class ChatCompletion(Common):
    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
    max_tokens: int | None = Field(None, ge=1, le=100_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=100_000)
    logprobs: bool | None = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
