"""Sentences for the person who brought a file: what of it is not used, and what was taken for granted."""

from __future__ import annotations

from worker.contract import DatasetSource, Reading
from worker.data.formats import guess


def notes_on(source: DatasetSource, columns: list[str], reading: Reading, words: int) -> list[str]:
    """What a person should know about how the file is read. ``words``: its cells that say nan or null."""
    notes = []
    if not source.header:
        notes.append("The first row is read as an example, and not as the names of the columns.")
    elif source.format in ("csv", "tsv") and not guess.is_known(columns):
        notes.append(f"The first row is taken for the names of the columns: {_quoted(columns)}.")
    if rejected := [column for column in columns if column.lower().startswith(guess.REJECTED)]:
        notes.append(f"Rejected answers are never learned: {_quoted(rejected)}.")
    used = {name.partition(".")[0] for name in reading.used()} | set(reading.used())
    if unused := [column for column in columns if column not in used and column not in rejected]:
        notes.append(f"Not used: {_quoted(unused)}.")
    if reading.special_tokens:
        notes.append("Special tokens that stand in the texts, such as <|im_start|> or </s>, are read as the model's own.")
    if words and not reading.empty_words:
        cells = "1 cell says" if words == 1 else f"{words} cells say"
        notes.append(f"{cells} nan, None, null or NA. They are read as words, unless you have them taken as empty.")
    return notes


def _quoted(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"“{name[:60]}”" for name in names[:10]) + more
