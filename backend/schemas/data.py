"""Datasets: what is in them, and how a model will see it."""

from __future__ import annotations

from typing import Literal

from backend.schemas.base import Schema
from worker.contract import Encoding, Format, Kind, Reading


class Dataset(Schema):
    """``rows`` counts the examples that this ``reading`` finds, a document being one; ``empty_rows`` those left out because
    nothing stands in them. ``columns`` is empty for a .txt file; ``readings`` are the kinds that suit the file.
    ``header``: the first row names the columns. ``notes`` say what of the file is not used, and what was taken for granted.
    ``origin`` is the hub's id of a dataset that was fetched from there.
    """

    id: str
    name: str
    format: Format
    encoding: Encoding = "utf-8"
    compressed: bool = False
    delimiter: str | None = None
    header: bool = True
    columns: list[str] = []
    reading: Reading = Reading()
    readings: list[Kind] = ["text", "document"]
    rows: int
    empty_rows: int = 0
    notes: list[str] = []
    bytes: int
    sha256: str
    origin: str | None = None
    built_in: bool
    created_at: str


class DatasetList(Schema):
    items: list[Dataset]


class ExamplePart(Schema):
    """A piece of an example: a text, a prompt or a completion, or a message of a conversation. ``learned``: the model learns
    to write it; else it is only read."""

    role: Literal["text", "prompt", "completion", "system", "user", "assistant", "tool"]
    text: str
    learned: bool


class Preview(Schema):
    """Some records: ``numbers`` are their places in the file (the line of a .txt or .jsonl), ``records`` the cells of their
    ``columns`` as they stand there, ``examples`` what each becomes, without parts where nothing stands in it. Long texts are
    cut to a readable length."""

    columns: list[str]
    numbers: list[int]
    records: list[list[str | None]]
    examples: list[list[ExamplePart]]
    total: int


class Bin(Schema):
    """``count`` examples have from ``start`` to below ``end`` tokens."""

    start: int
    end: int
    count: int


class TokenStatistics(Schema):
    """Lengths in tokens of the examples, before any is cut. ``exact`` is false if only ``examples`` of them, drawn evenly,
    were turned into tokens; ``total`` and the counts are then estimates for all. ``trained`` counts tokens that are learned.
    ``untrained`` counts examples without one, of which ``untrained_rows`` names the first few. ``notes`` say what of the
    ``examples`` is not in the tokens as it stands: what the model's chat template leaves out or does not take."""

    examples: int
    exact: bool
    max_length: int
    total: int
    trained: int
    mean: float
    median: int
    longest: int
    longest_row: int | None
    truncated: int
    truncated_share: float
    untrained: int
    untrained_rows: list[int]
    notes: list[str] = []
    histogram: list[Bin]


Side = Literal["train", "validation"]


class PlacedRow(Schema):
    """An example: its record's place in the file, on which side of the split it is, and the beginning of its text."""

    row: int
    side: Side
    text: str


class NearDuplicatePair(Schema):
    """Two examples that are nearly the same; ``in_common``: the share of the longer one's words that both have, in order."""

    in_common: float
    rows: list[PlacedRow]


class NearDuplicates(Schema):
    """Examples that are nearly the same as another one, copies apart: ``rows`` of them, in ``groups``, of which
    ``largest_group`` counts the largest. ``leaked_rows`` counts those for validation that have one of their group on the
    training side; ``examples`` are pairs of these, or of others where nothing leaks."""

    rows: int
    groups: int
    largest_group: int
    leaked_rows: int
    examples: list[NearDuplicatePair]


class TextExample(Schema):
    """``row`` is the record's place in the file; ``text`` what stands there, or a length in words; ``meant`` what probably
    should, where it is known."""

    row: int
    text: str
    meant: str | None


class TextProblem(Schema):
    """What looks wrong in ``rows`` of the texts, with the first ``examples``. ``mojibake``: UTF-8 that was read in another
    encoding. ``control_characters``: these, or signs that stand for lost ones. ``extreme_length``: over ten times as long as
    19 of 20 others, or a tenth of the whole text."""

    kind: Literal["mojibake", "control_characters", "extreme_length"]
    rows: int
    examples: list[TextExample]


class Statistics(Schema):
    """What a dataset holds. ``duplicate_rows`` counts examples that stood there before; ``longest_row`` is its place."""

    rows: int
    empty_rows: int
    duplicate_rows: int
    near_duplicates: NearDuplicates
    text_problems: list[TextProblem]
    train_rows: int
    validation_rows: int
    characters: int
    longest_row: int | None
    longest_characters: int
    tokens: TokenStatistics


TokenState = Literal["trained", "masked", "truncated", "padding"]


class Token(Schema):
    """``trained``: the model learns to predict it. ``masked``: it is only read. ``truncated``: the model never sees it.
    ``start``: here begins another example in the same row."""

    id: int
    text: str
    state: TokenState
    start: bool = False


class TokenRow(Schema):
    """An example as the model will see it. ``row`` is the record's place in the file; a document gives several ``windows``.
    ``counts`` are of all its tokens; of those ``truncated`` only the first few hundred are in ``tokens``."""

    row: int
    side: Side
    window: int
    windows: int
    used: bool
    counts: dict[TokenState, int]
    tokens: list[Token]


class TokenBatch(Schema):
    """The first forward pass of the first update: ``rows`` of tokens; ``passes`` is how many that update takes."""

    layout: Literal["packed", "in_order"]
    passes: int
    examples: int
    counts: dict[TokenState, int]
    rows: list[list[Token]]


class TokenView(Schema):
    """Of a very long document only the first windows are in ``items``. ``batch`` is null unless asked for, and for a text
    too large to know the run's first update at once."""

    max_length: int
    items: list[TokenRow]
    batch: TokenBatch | None
