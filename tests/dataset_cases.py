"""Files of examples, good and bad, of every format: what is to be found in each. For the checker and for the API."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pyarrow
from pyarrow import parquet

TEXTS = [
    "The first text.",
    'a "quoted", second; one',
    "third\tone",
    "naïve café",
    "the fifth",
    "number six",
    "the seventh one",
]
EMOJI = [
    "Ça va? 👩‍👩‍👧‍👦",
    "שלום עולם",
    "مرحبا بالعالم 🌍",
    "日本語のテキスト",
    "e\u0301 and é",
    "\u202etfel ot thgir\u202c",
]
FORMATS = ("txt", "jsonl", "json", "csv", "tsv", "parquet", "txt.gz", "jsonl.gz", "csv.gz")
HUGE = 100_000_000


class Case(NamedTuple):
    """``expected``: the number of rows, or what the error says (a regular expression)."""

    id: str
    filename: str
    data: Callable[[], bytes]
    expected: int | str


def encoded(format: str, texts: Sequence[str], newline: str = "\n", encoding: str = "utf-8") -> bytes:
    """A file with these texts, in a column called text where it has columns; ``format`` may end in .gz."""
    kind, _, packed = format.partition(".")
    if kind == "parquet":
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.table({"text": pyarrow.array(texts, pyarrow.string())}), buffer)
        return buffer.getvalue()
    text = newline.join(_lines(kind, texts, newline)) + newline
    data = text.encode(encoding)
    return gzip.compress(data, 1, mtime=0) if packed else data


def _lines(kind: str, texts: Sequence[str], newline: str) -> list[str]:
    if kind == "jsonl":
        return [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    if kind == "json":
        objects = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
        return ["[", *(line + "," for line in objects[:-1]), *objects[-1:], "]"]
    if kind in ("csv", "tsv"):
        table = io.StringIO(newline="")
        writer = csv.writer(table, delimiter="," if kind == "csv" else "\t", lineterminator=newline)
        writer.writerows([["text", "number"], *([text, number] for number, text in enumerate(texts))])
        return [table.getvalue().removesuffix(newline)]
    return list(texts)


def _packed(format: str, data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0) if format.endswith(".gz") else data


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "\n".join(TEXTS))
    return buffer.getvalue()


def _with_nul(format: str) -> bytes:
    return _packed(format, encoded(format.removesuffix(".gz"), TEXTS).replace(b"the fifth", b"the\0fifth"))


def _latin_1(format: str) -> bytes:
    if format == "parquet":  # texts that claim to be UTF-8
        raw = pyarrow.array([text.encode("latin-1") for text in TEXTS], pyarrow.binary())
        texts = pyarrow.StringArray.from_buffers(len(raw), raw.buffers()[1], raw.buffers()[2])
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.table({"text": texts}), buffer)
        return buffer.getvalue()
    return encoded(format, TEXTS, encoding="latin-1")


def _broken_json(format: str) -> bytes:
    texts = TEXTS[:5] if format == "json" else TEXTS[:6]  # a list's first line is its bracket
    lines = [f'{{"text": "{n}"}}' for n, _ in enumerate(texts)]
    bad = '{"text": "a" "b"}'
    text = (
        "[\n" + ",\n".join([*lines, bad, *lines]) + "\n]\n" if format == "json" else "\n".join([*lines, bad, *lines]) + "\n"
    )
    return _packed(format, text.encode())


def _ragged(format: str) -> bytes:
    separator = "\t" if format == "tsv" else ","
    rows = [["text", "b", "c", "d"], *([str(n)] * 4 for n in range(5)), ["only", "three", "cells"], ["1"] * 4]
    return _packed(format, "".join(separator.join(row) + "\n" for row in rows).encode())


def _huge(format: str) -> bytes:
    """A single line of 100 MB; in a table it is the first after the header, in a list the first element."""
    long = b"word " * (HUGE // 5)
    if format == "parquet":
        return encoded(format, [long.decode(), "short"])
    around = {
        "txt": (b"", b"\n"),
        "jsonl": (b'{"text": "', b'"}\n'),
        "json": (b'[{"text": "', b'"}]'),
        "csv": (b"text,number\n", b",1\n"),
        "tsv": (b"text\tnumber\n", b"\t1\n"),
    }
    before, after = around[format.removesuffix(".gz")]
    return _packed(format, before + long + after)


def _place_of_nul(format: str) -> str:
    line = {"txt": 5, "jsonl": 5, "json": 6, "csv": 6, "tsv": 6}[format.removesuffix(".gz")]
    column = {"txt": 4, "jsonl": 14, "json": 14, "csv": 4, "tsv": 4}[format.removesuffix(".gz")]
    return f"^Line {line}, column {column} holds a NUL character, so this is not text\\.$"


def _place_of_latin_1(format: str) -> str:
    line = {"txt": 4, "jsonl": 4, "json": 5, "csv": 5, "tsv": 5}[format.removesuffix(".gz")]
    column = {"txt": 3, "jsonl": 13, "json": 13, "csv": 3, "tsv": 3}[format.removesuffix(".gz")]
    return f"^Line {line}, column {column} is not UTF-8 text\\.$"


_TOO_FEW = r"^The file holds only one example\. A model needs at least two\.$"
_NO_PARQUET = r"^This is no Parquet file\.$"
_HUGE = {
    "txt": 1,  # one document
    "jsonl": r"^Line 1 is longer than 16 million characters\.$",
    "json": r"^Line 1 begins an element of over 16 million characters\.$",
    "csv": r"^Line 2 is longer than 16 million characters\.$",
    "tsv": r"^Line 2 is longer than 16 million characters\.$",
    "parquet": 2,
}


def _of_format(format: str) -> list[Case]:
    is_parquet = format == "parquet"
    plain = format.removesuffix(".gz")
    rows = len(TEXTS)

    def case(name: str, data: Callable[[], bytes], expected: int | str) -> Case:
        return Case(f"{format}-{name}", f"examples.{format}", data, expected)

    text = partial(encoded, plain, TEXTS)
    cases = [
        case("good", partial(encoded, format, TEXTS), rows),
        case("empty", partial(_packed, format, b""), r"^The file is empty\.$"),
        case("one-row", partial(encoded, format, TEXTS[:1]), _TOO_FEW),
        case("crlf", partial(encoded, format, TEXTS, "\r\n"), rows),
        case("duplicates", partial(encoded, format, TEXTS * 3), 3 * rows),
        case("emoji-and-right-to-left", partial(encoded, format, EMOJI), len(EMOJI)),
        case("huge-line", partial(_huge, format), _HUGE[plain]),
        case(
            "zip-renamed", lambda: _packed(format, _zip()), _NO_PARQUET if is_parquet else "^This is a zip archive, as .xlsx"
        ),
        case("byte-order-mark", lambda: _packed(format, codecs.BOM_UTF8 + text()), _NO_PARQUET if is_parquet else rows),
        case(
            "latin-1", partial(_latin_1, format), "'utf-8' codec can't decode" if is_parquet else _place_of_latin_1(format)
        ),
    ]
    if is_parquet:
        cases += [
            case("nul", lambda: encoded(format, TEXTS).replace(b"PAR1", b"\0\0\0\0"), _NO_PARQUET),
            case("utf-16", partial(encoded, "txt", TEXTS, encoding="utf-16"), _NO_PARQUET),
            case("cut-off", lambda: encoded(format, TEXTS)[:-20], "^The Parquet file cannot be read: "),
        ]
    else:
        cases += [
            case("nul", partial(_with_nul, format), _place_of_nul(format)),
            case("utf-16", partial(encoded, format, TEXTS, encoding="utf-16"), rows),
            case("utf-16-big-endian", lambda: _packed(format, codecs.BOM_UTF16_BE + text(encoding="utf-16-be")), rows),
        ]
    if plain in ("csv", "tsv"):
        cases.append(case("ragged", partial(_ragged, format), r"^Line 7 has 3 cells, and the header has 4\.$"))
    if plain in ("json", "jsonl"):
        wrong = r"^Line 7 is not valid JSON: Expecting ',' delimiter at column 14\.$"
        cases.append(case("broken-in-line-7", partial(_broken_json, format), wrong))
    if format.endswith(".gz"):
        cases.append(case("cut-off", lambda: encoded(format, TEXTS * 1000)[:-30], "^The compressed file ends too early"))
        cases.append(case("not-compressed", text, "ends in .gz, and it is not compressed"))
    return cases


CASES = [case for format in FORMATS for case in _of_format(format)]
