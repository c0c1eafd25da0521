"""What clients of Anthropic's API send: https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from backend.schemas.openai import TOOLS, Common, Stop, TextPart


class TurnMessage(BaseModel):
    role: Literal["user", "assistant"]
    content: str | list[TextPart]


class OutputFormat(BaseModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(BaseModel):
    format: OutputFormat | None = None


class CountRequest(Common):
    NEUTRAL: ClassVar[dict[str, tuple[Any, ...]]] = {
        **TOOLS,
        "tool_choice": (None, {"type": "none"}, {"type": "auto"}),
        "container": (None,),
        "mcp_servers": (None, []),
        "thinking": (None, {"type": "disabled"}),
    }

    messages: list[TurnMessage] = Field(min_length=1, max_length=10_000)
    system: str | list[TextPart] | None = None


class MessageRequest(CountRequest):
    max_tokens: int = Field(ge=1, le=100_000)
    stop_sequences: Annotated[list[Stop], Field(max_length=16)] | None = None
    output_config: OutputConfig | None = None

    def stops(self) -> list[str]:
        return self.stop_sequences or []

    def json_schema(self) -> dict[str, Any] | None:
        config = self.output_config
        return config.format.schema_ if config and config.format else None
