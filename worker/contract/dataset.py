"""A run's data: which file it is, and how the records in it become examples. Imported through ``worker.contract``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Format = Literal["txt", "json", "jsonl", "csv", "tsv", "parquet"]
Encoding = Literal["utf-8", "utf-16"]
Kind = Literal["text", "document", "completion", "chat"]


class Reading(BaseModel):
    """How records become examples.

    ``text``: each is a text of its own, cut at max_length. ``document``: each is a long text, read in windows of max_length
    tokens. ``completion``: a prompt that is only read, and a completion that is learned. ``chat``: messages with a role and
    a content each, of which the assistant's are learned.

    The other fields name the columns. A .txt file has none: its records are its lines, or the file as one document.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "text"
    text: str | None = None
    prompt: str | None = None
    completion: str | None = None
    messages: str | None = None

    def columns(self) -> dict[str, str | None]:
        """What this kind needs → the column that holds it."""
        needed = {
            "text": ("text",),
            "document": ("text",),
            "completion": ("prompt", "completion"),
            "chat": ("messages",),
        }[self.kind]
        return {name: getattr(self, name) for name in needed}


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
