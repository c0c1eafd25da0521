"""A run's data: which file it is, and how the records in it become examples. Imported through ``worker.contract``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["txt", "json", "jsonl", "csv", "tsv", "parquet"]
Encoding = Literal["utf-8", "utf-16"]
Kind = Literal["text", "document", "completion", "chat"]

FIELD = re.compile(r"\{([^{}\n]+)\}")
"""A column's name in a template."""


class Reading(BaseModel):
    """How records become examples.

    ``text``: each is a text of its own, cut at max_length. ``document``: each is a long text, read in windows of max_length
    tokens. ``completion``: a prompt that is only read, and a completion that is learned. ``chat``: messages with a role and
    a content each, of which the assistant's are learned.

    Fields with these names and the following are columns; of an object within a column, translation.en. ``system``: a chat's
    system message. ``tools``: the definitions of a chat's tools. ``asked``: what a chat's messages answer. ``label``:
    completions are learned where it is true. A .txt file has no columns: its records are its lines, or the file as one
    document.

    ``template``: the text, or a completion's prompt, made of several columns: "{instruction}\n\n{input}".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "text"
    text: str | None = None
    prompt: str | None = None
    completion: str | None = None
    messages: str | None = None
    asked: str | None = None
    system: str | None = None
    tools: str | None = None
    label: str | None = None
    template: str | None = Field(default=None, max_length=10_000)

    def columns(self) -> dict[str, str | None]:
        """What this kind needs → the column that holds it."""
        needed = {
            "text": ("text",),
            "document": ("text",),
            "completion": ("prompt", "completion"),
            "chat": ("messages",),
        }[self.kind]
        made = () if self.template is None else ("text", "prompt")
        return {name: getattr(self, name) for name in needed if name not in made}

    def used(self) -> list[str]:
        """All columns that are read."""
        may_have = {"completion": ("label",), "chat": ("asked", "system", "tools")}.get(self.kind, ())
        named = [*self.columns().values(), *(getattr(self, name) for name in may_have)]
        if self.template is not None and self.kind != "chat":
            named += FIELD.findall(self.template)
        return list(dict.fromkeys(name for name in named if name))


class DatasetSource(BaseModel):
    """A file of examples. ``encoding`` and ``delimiter`` (of .csv) are as found in it; a byte-order mark may be there."""

    model_config = ConfigDict(frozen=True)

    path: str
    format: Format = "txt"
    encoding: Encoding = "utf-8"
    compressed: bool = False
    delimiter: str | None = None
    reading: Reading = Reading()


class Checked(BaseModel):
    """What ``python -m worker.datasets.validation`` found in a file: a DatasetSource but for its path, and counts.

    ``readings`` are the kinds that suit the file, ``reading`` the one that was taken: asked for, or guessed. ``rows`` counts
    its examples, a document being one; ``empty_rows`` the records left out because nothing stands in them.
    """

    format: Format
    encoding: Encoding = "utf-8"
    compressed: bool = False
    delimiter: str | None = None
    columns: list[str] = []
    reading: Reading
    readings: list[Kind]
    rows: int
    empty_rows: int
