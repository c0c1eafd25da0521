"""A run's data: which file it is, and how the records in it become examples. Imported through ``worker.contract``."""

from __future__ import annotations

import re
from typing import Literal, Union

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

    A chat may also be made of columns: where ``messages`` is none, ``prompt`` is asked and ``completion`` answers, after the
    pairs of questions and answers in ``history``.

    ``template``: the text, or the prompt, made of several columns: "{instruction}\n\n{input}". ``separator`` stands between
    prompt and completion; None: a blank where neither brings one and words are divided by blanks. ``special_tokens``: those
    that are typed in the texts, such as <|im_end|>, are the model's; else they are text like any other. ``empty_words``: a
    cell that says nan, None or null is empty. ``chat_template_kwargs`` are variables for the model's chat template, such as
    enable_thinking. ``system_into_user``: the system message stands before the first user message's text, for models whose
    chat format has none.
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
    history: str | None = None
    template: str | None = Field(default=None, max_length=10_000)
    separator: str | None = Field(default=None, max_length=100)
    special_tokens: bool = False
    empty_words: bool = False
    chat_template_kwargs: dict[str, Union[bool, int, float, str, None]] = Field(default={}, max_length=20)
    system_into_user: bool = False

    @property
    def is_chat_of_columns(self) -> bool:
        """Whether conversations are made of a prompt and a completion each."""
        return self.kind == "chat" and self.messages is None and self.completion is not None

    def columns(self) -> dict[str, str | None]:
        """What this kind needs → the column that holds it."""
        pair = ("prompt", "completion")
        needed = {
            "text": ("text",),
            "document": ("text",),
            "completion": pair,
            "chat": pair if self.is_chat_of_columns else ("messages",),
        }[self.kind]
        made = () if self.template is None else ("text", "prompt")
        return {name: getattr(self, name) for name in needed if name not in made}

    def used(self) -> list[str]:
        """All columns that are read."""
        may_have = {
            "completion": ("label",),
            "chat": ("label", "history", "system") if self.is_chat_of_columns else ("asked", "system", "tools"),
        }.get(self.kind, ())
        named = [*self.columns().values(), *(getattr(self, name) for name in may_have)]
        if self.template is not None and (self.kind != "chat" or self.is_chat_of_columns):
            named += FIELD.findall(self.template)
        return list(dict.fromkeys(name for name in named if name))


class DatasetSource(BaseModel):
    """A file of examples. ``encoding`` and ``delimiter`` (of .csv) are as found in it; a byte-order mark may be there.

    ``header``: the first row of a .csv or .tsv names its columns; else they are called column 1, column 2 and so on.
    ``exclude_rows``: places of rows that are passed over; the others keep theirs.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    format: Format = "txt"
    encoding: Encoding = "utf-8"
    compressed: bool = False
    delimiter: str | None = None
    header: bool = True
    reading: Reading = Reading()
    exclude_rows: tuple[int, ...] = ()

    def as_found(self) -> dict[str, object]:
        """What a check finds out about the file itself, beside its columns and rows."""
        return self.model_dump(include={"format", "encoding", "compressed", "delimiter", "header"})


class Checked(BaseModel):
    """What ``python -m worker.datasets.validation`` found in a file: a DatasetSource but for its path, and counts.

    ``readings`` are the kinds that suit the file, ``reading`` the one that was taken: asked for, or guessed. ``rows`` counts
    its examples, a document being one; ``empty_rows`` the records left out because nothing stands in them. ``notes`` are
    sentences for the person who brought the file: what of it is not used, and what was taken for granted.
    """

    format: Format
    encoding: Encoding = "utf-8"
    compressed: bool = False
    delimiter: str | None = None
    header: bool = True
    columns: list[str] = []
    reading: Reading
    readings: list[Kind]
    rows: int
    empty_rows: int
    notes: list[str] = []
