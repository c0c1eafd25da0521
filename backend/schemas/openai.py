"""What clients of OpenAI's API send: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.toolbox import Function, Toolbox

Stop = Annotated[str, Field(min_length=1, max_length=200)]


class TextPart(BaseModel):
    type: str
    text: str | None = None


class Common(BaseModel):
    """What all kinds of request have. ``temperature`` 0 always takes the likeliest token."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    NEUTRAL: ClassVar[dict[str, tuple[Any, ...]]] = {}
    """Fields that would change the answer and that we do not have, with the values that change nothing. Others are
    ignored."""

    model: str = Field(min_length=1, max_length=200)
    temperature: float | None = Field(1.0, ge=0, le=5)
    top_p: float | None = Field(1.0, gt=0, le=1)
    top_k: int | None = Field(0, ge=0, le=1_000_000)
    min_p: float | None = Field(0.0, ge=0, le=1)
    repetition_penalty: float | None = Field(1.0, gt=0, le=10)
    presence_penalty: float | None = Field(0.0, ge=-2, le=2)
    frequency_penalty: float | None = Field(0.0, ge=-2, le=2)
    logit_bias: Annotated[dict[int, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=1024)] | None = None
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    stream: bool | None = False

    def unsupported(self) -> str | None:
        """The name of a field that asks for what we do not have."""
        given = self.model_extra or {}
        names = self.NEUTRAL.items()
        return next((name for name, neutral in names if name in given and given[name] not in neutral), None)

    def stops(self) -> list[str]:
        """Strings before which the text ends."""
        return []

    def toolbox(self) -> Toolbox:
        """The tools that the model is told of."""
        return Toolbox()

    def json_schema(self) -> dict[str, Any] | None:
        """What the text must be an instance of, if anything."""
        return self.toolbox().schema()

    def sampling(self) -> dict[str, Any]:
        """As the generation process takes it."""
        return {
            "temperature": 1.0 if self.temperature is None else self.temperature,
            "top_p": self.top_p or 1.0,
            "top_k": self.top_k or 0,
            "min_p": self.min_p or 0.0,
            "repetition_penalty": self.repetition_penalty or 1.0,
            "presence_penalty": self.presence_penalty or 0.0,
            "frequency_penalty": self.frequency_penalty or 0.0,
            "logit_bias": self.logit_bias or {},
            "stop": self.stops(),
            "json_schema": self.json_schema(),
        }


class StreamOptions(BaseModel):
    include_usage: bool | None = False


class Several(Common):
    """What may have several answers."""

    n: int | None = Field(1, ge=1, le=8)
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    stream_options: StreamOptions | None = None

    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class Completion(Several):
    NEUTRAL: ClassVar[dict[str, tuple[Any, ...]]] = {
        "best_of": (None, 1),
        "response_format": (None, {"type": "text"}),
        "suffix": (None, ""),
        "tool_choice": (None, "none", "auto"),
        "tools": (None, []),
    }

    prompt: Annotated[str, Field(max_length=400_000)] | Annotated[list[str], Field(min_length=1, max_length=8)]
    max_tokens: int | None = Field(16, ge=0, le=100_000)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = False


class Tool(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="allow")

    type: Literal["function"]
    function: Function


class NamedFunction(BaseModel):
    name: str


class NamedTool(BaseModel):
    type: Literal["function"]
    function: NamedFunction


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None


class NamedSchema(BaseModel):
    schema_: dict[str, Any] = Field({}, alias="schema")


class AnswerFormat(BaseModel):
    """Text, or JSON, of a schema or not."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: NamedSchema = NamedSchema()
    schema_: dict[str, Any] = Field({}, alias="schema")

    def wanted(self) -> dict[str, Any] | None:
        """The schema of what is wanted, None for text."""
        any_object = {"type": "object"}
        schemas = {"text": None, "json_object": any_object, "json_schema": self.json_schema.schema_ or self.schema_}
        return schemas[self.type]


class ChatCompletion(Several):
    NEUTRAL: ClassVar[dict[str, tuple[Any, ...]]] = {
        "audio": (None,),
        "function_call": (None, "none", "auto"),
        "functions": (None, []),
        "modalities": (None, ["text"]),
        "reasoning_effort": (None, "none"),
        "web_search_options": (None,),
    }

    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
    max_tokens: int | None = Field(None, ge=1, le=100_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=100_000)
    logprobs: bool | None = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: AnswerFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None

    def toolbox(self) -> Toolbox:
        only = self.tool_choice.function.name if isinstance(self.tool_choice, NamedTool) else None
        return _toolbox([each.function for each in self.tools or []], self.tool_choice, only, self.parallel_tool_calls)

    def json_schema(self) -> dict[str, Any] | None:
        return super().json_schema() or (self.response_format.wanted() if self.response_format else None)


def _toolbox(functions: list[Function], choice: object, only: str | None, several: bool | None) -> Toolbox:
    """The toolbox of a request to one of OpenAI's doors, whose ``choice`` may be a word, or name the ``only`` function."""
    offered = [] if choice == "none" else functions
    return Toolbox(offered, choice not in (None, "none", "auto"), only, several is not False)


class InputItem(BaseModel):
    """Of a conversation: a message, a call of a tool, or what a call returned."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[TextPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[TextPart] | None = None


class FunctionTool(Function):
    """A function as this door has it: in the tool itself."""

    type: Literal["function"]
    description: str | None = None


class OneFunction(BaseModel):
    type: Literal["function"]
    name: str


class AnswerText(BaseModel):
    format: AnswerFormat | None = None


class ResponseRequest(Common):
    NEUTRAL: ClassVar[dict[str, tuple[Any, ...]]] = {
        "background": (None, False),
        "conversation": (None,),
        "previous_response_id": (None,),
        "prompt": (None,),
        "reasoning": (None, {}, {"effort": None}, {"effort": "none"}),
    }

    input: Annotated[str, Field(max_length=400_000)] | Annotated[list[InputItem], Field(min_length=1, max_length=10_000)]
    instructions: str | None = Field(None, max_length=400_000)
    include: list[str] | None = None
    max_output_tokens: int | None = Field(None, ge=1, le=100_000)
    metadata: dict[str, str] | None = None
    text: AnswerText | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | OneFunction | None = None
    parallel_tool_calls: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    truncation: Literal["auto", "disabled"] | None = None

    @property
    def wants_logprobs(self) -> bool:
        """Whether the chances of the tokens are to be told."""
        return self.top_logprobs is not None or "message.output_text.logprobs" in (self.include or [])

    def toolbox(self) -> Toolbox:
        told = {"name", "description", "parameters"}
        functions = [Function(**each.model_dump(include=told, exclude_none=True)) for each in self.tools or []]
        only = self.tool_choice.name if isinstance(self.tool_choice, OneFunction) else None
        return _toolbox(functions, self.tool_choice, only, self.parallel_tool_calls)

    def json_schema(self) -> dict[str, Any] | None:
        return super().json_schema() or (self.text.format.wanted() if self.text and self.text.format else None)
