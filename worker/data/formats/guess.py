"""What kind of file this is, and how it is best read."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath
from statistics import pstdev
from typing import Any

from worker.contract import Encoding, Format, Kind, Reading
from worker.data.formats.messages import is_message
from worker.errors import DataError

_FORMATS: dict[str, Format] = {
    ".txt": "txt",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_GZIP = b"\x1f\x8b"
_TEXTS = ("text", "content", "document", "story", "body")
_PROMPTS = ("prompt", "instruction", "question", "query", "input", "inputs", "article", "dialogue")
_COMPLETIONS = ("completion", "response", "answer", "output", "outputs", "chosen", "summary", "highlights")
_CONTEXTS = ("context", "passage", "input")  # what a question is about, or an instruction is to be done with
_SYSTEMS = ("system", "system_prompt", "system_message")
_MESSAGES = ("messages", "conversations", "conversation", "chosen", "completion")
REJECTED = "rejected"  # begins the names of answers that must never be learned
_LONGEST_NAME, _MOST_WORDS = 60, 6  # of what a column may be called
_MARK = re.compile(
    r"<\|(?:im_start|im_end|endoftext|begin_of_text|end_of_text|start_header_id|eot_id|eom_id|user|assistant|system|end)\|>"
    r"|</?s>|<(?:start|end)_of_turn>|<bos>|<eos>|\[INST\]"
)
_WRAPPED_AT_MOST = 100  # characters of a line in a text that was broken into lines by hand or program


def format_of(filename: str) -> Format:
    """By the file's name. Raises DataError for one that is not known."""
    suffixes = [suffix.lower() for suffix in PurePath(filename).suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    found = _FORMATS.get(suffixes[-1] if suffixes else "")
    if found is None:
        raise DataError(
            f"{filename[-80:]!r} is no kind of file that can be read.",
            "Use .txt, .jsonl, .json, .csv, .tsv or .parquet; all but the last may be compressed as .gz.",
        )
    return found


def is_compressed(start: bytes) -> bool:
    """Whether a file that begins so is a gzip file."""
    return start.startswith(_GZIP)


def encoding_of(start: bytes) -> Encoding:
    """UTF-16 if a text begins with its byte-order mark."""
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def is_document(lines: Sequence[str]) -> bool:
    """Whether the first ``lines`` of a .txt look like running text that was broken into lines, with empty ones between
    paragraphs, and not like one example on each."""
    texts = [line.strip() for line in lines]
    full = [text for text in texts if text]
    runs = paragraph_lengths(texts)
    if len(full) < 8 or not runs or max(map(len, full)) > _WRAPPED_AT_MOST:
        return False
    several = [run for run in runs if run >= 3]
    inner = [len(text) for text, following in pairwise(texts) if text and following]
    return sum(several) >= len(full) / 2 and len(runs) >= 2 and bool(inner) and pstdev(inner) < 20


def paragraph_lengths(texts: Sequence[str]) -> list[int]:
    """How many lines stand together without an empty one between them."""
    runs, length = [], 0
    for text in (*texts, ""):
        if text:
            length += 1
        elif length:
            runs.append(length)
            length = 0
    return runs


def is_header(cells: Sequence[str]) -> bool:
    """Whether the first row of a table names its columns, and is not an example itself."""
    return is_known(cells) or not any(map(_is_sentence, cells))


def is_known(names: Sequence[str]) -> bool:
    """Whether one of them is a name that columns of such tables usually have."""
    known = {*_TEXTS, *_PROMPTS, *_COMPLETIONS, *_CONTEXTS, *_SYSTEMS, *_MESSAGES}
    return any(name.strip().lower() in known for name in names)


def _is_sentence(cell: str) -> bool:
    words = cell.split()
    return len(cell) > _LONGEST_NAME or len(words) > _MOST_WORDS or (len(words) > 1 and cell.strip()[-1] in ".!?…。？！")


def holds_marks(texts: Sequence[str]) -> bool:
    """Whether the first ``texts`` were put into a model's form beforehand: each holds special tokens, or they stand between
    the texts."""
    full = [text for text in texts if text.strip()]
    return len(full) > 1 and (all(map(_MARK.search, full)) or any(_MARK.fullmatch(text.strip()) for text in full))


def reading_of(
    columns: Sequence[str], records: Sequence[dict[str, Any]], *, named: bool = True
) -> tuple[Reading, list[Kind]]:
    """How records with these columns are best read, and how they can be, judged by the first ones. Not ``named``: the
    columns' names say nothing."""
    wanted = [column for column in columns if not column.lower().startswith(REJECTED)]
    chats = [column for column in wanted if any(_holds_messages(record.get(column)) for record in records)]
    lists = [column for column in wanted if any(isinstance(record.get(column), (list, dict)) for record in records)]
    texts = [column for column in wanted if column not in chats]
    chat = _named(chats, _MESSAGES) or next(iter(chats), None)
    prompt = _named(texts, _PROMPTS)
    completion = _named([column for column in texts if column != prompt], _COMPLETIONS)
    longest = max(texts, key=lambda column: _length(records, column), default=None)
    readings: list[Kind] = []
    if texts:
        readings += ["text", "document"]
    if len(texts) >= 2:
        readings.append("completion")
    if chat or len(texts) >= 2:
        readings.append("chat")
    if not named and len(texts) == 2 == len(columns):
        prompt, completion = texts
    system = _named([column for column in texts if column not in lists], _SYSTEMS)
    if chat:
        asked = _named([column for column in wanted if column != chat], ("prompt",))
        return Reading(
            kind="chat",
            text=longest,
            messages=chat,
            asked=asked if chat.lower() in ("chosen", "completion") else None,
            system=system,
            tools=_named(texts, ("tools", "functions")),
        ), readings
    text = _named(texts, _TEXTS) or longest
    if prompt is None or completion is None:
        prompt = prompt or next((column for column in texts if column != completion), None)
        completion = completion or next((column for column in texts if column not in (prompt, texts[0])), None)
        return Reading(kind="text", text=text, prompt=prompt, completion=completion), readings
    history = _named(
        [column for column in lists if any(_holds_pairs(record.get(column)) for record in records)], ("history",)
    )
    label = _named(texts, ("label",))
    others = [column for column in texts if column not in (prompt, completion, *lists)]
    return Reading(
        kind="chat" if history else "completion",
        text=text,
        prompt=prompt,
        completion=completion,
        history=history,
        system=system if history else None,
        label=label if any(record.get(label or "") in (True, False) for record in records) else None,
        template=_template(prompt, None if history else system, others),
    ), readings


def _template(prompt: str | None, system: str | None, others: Sequence[str]) -> str | None:
    """How a prompt is made where more than its own column belongs to it; None where that is all."""
    context = _named(others, _CONTEXTS)
    if not context and not system:
        return None
    asked = [prompt, context] if context and context.lower() == "input" else [context, prompt]
    return "\n\n".join(f"{{{column}}}" for column in (system, *asked) if column)


def _named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column with the first of these names, in whatever case."""
    by_name = {column.lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def _holds_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value)


def _length(records: Sequence[dict[str, Any]], column: str) -> int:
    return sum(len(value) for record in records if isinstance(value := record.get(column), str))


def _holds_messages(value: Any) -> bool:
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    return isinstance(value, list) and bool(value) and is_message(value[0])
