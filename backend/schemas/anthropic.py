"""What clients of Anthropic's API send: https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from backend.schemas.openai import Common, Stop, TextPart
from backend.schemas.toolbox import Function, Toolbox


class Block(TextPart):
    """A part of a message: text, a call of a tool, or what a call returned."""

    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: str | list[TextPart] | None = None


class TurnMessage(BaseModel):
    role: Literal["user", "assistant"]
    content: str | list[Block]


class CustomTool(BaseModel):
    """A function that the model may call. Those of other types are the maker's own."""

    type: Literal["custom"] | None = None
    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    input_schema: dict[str, Any]


class ToolChoice(BaseModel):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = False


class OutputFormat(BaseModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(BaseModel):
    format: OutputFormat | None = None


class CountRequest(Common):
    NEUTRAL: ClassVar[dict[str, tuple[Any, ...]]] = {
        "container": (None,),
        "mcp_servers": (None, []),
        "thinking": (None, {"type": "disabled"}),
    }

    messages: list[TurnMessage] = Field(min_length=1, max_length=10_000)
    system: str | list[TextPart] | None = None
    tools: Annotated[list[CustomTool], Field(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None

    def toolbox(self) -> Toolbox:
        choice = self.tool_choice or ToolChoice(type="auto")
        functions = [Function(parameters=each.input_schema, **_named(each)) for each in self.tools or []]
        only = choice.name or "" if choice.type == "tool" else None
        several = not choice.disable_parallel_tool_use
        return Toolbox([] if choice.type == "none" else functions, choice.type in ("any", "tool"), only, several)

    def json_schema(self) -> dict[str, Any] | None:
        return None  # they are counted alone


class MessageRequest(CountRequest):
    max_tokens: int = Field(ge=1, le=100_000)
    stop_sequences: Annotated[list[Stop], Field(max_length=16)] | None = None
    output_config: OutputConfig | None = None

    def stops(self) -> list[str]:
        return self.stop_sequences or []

    def json_schema(self) -> dict[str, Any] | None:
        config = self.output_config
        return self.toolbox().schema() or (config.format.schema_ if config and config.format else None)


def _named(tool: CustomTool) -> dict[str, str]:
    return tool.model_dump(include={"name", "description"}, exclude_none=True)
