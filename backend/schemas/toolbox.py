"""Tools that a model is told of, whichever door they came through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Function(BaseModel):
    """What a model may call; ``parameters`` is the JSON schema of its arguments."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1, max_length=200)
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True)
class Toolbox:
    """``functions`` are those that the model is told of. ``forced``: the answer must be a call, of ``only`` where that is
    named. Without ``several`` of an answer's calls the first one counts."""

    functions: Sequence[Function] = ()
    forced: bool = False
    only: str | None = None
    several: bool = True

    @property
    def names(self) -> set[str]:
        """Of the functions that may be called."""
        return {each.name for each in self.functions if self.only in (None, each.name)}

    def for_template(self) -> list[dict[str, Any]]:
        """As chat templates are given them."""
        return [{"type": "function", "function": each.model_dump(exclude_unset=True)} for each in self.functions]

    def schema(self) -> dict[str, Any] | None:
        """What a forced call must be an instance of; None if none is forced."""
        if not self.forced:
            return None
        definitions: dict[str, Any] = {}
        for each in self.functions:
            definitions |= (each.parameters or {}).get("$defs", {})
        return {"anyOf": [_call_of(each) for each in self.functions if each.name in self.names], "$defs": definitions}


def _call_of(function: Function) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": function.name}, "arguments": function.parameters or {"type": "object"}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
