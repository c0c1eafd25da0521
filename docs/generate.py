"""Write docs/reference.md from the code that it describes: `make docs`. tests/test_docs.py fails when it is out of date."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from backend.coach.finding import Finding
from backend.events.webhooks import FOR_RECEIVERS
from backend.settings import Settings
from docs.openapi import document
from worker import contract

TARGET = Path(__file__).parent / "reference.md"


def reference() -> str:
    """The whole document, as Markdown."""
    sections = (
        ("Reference", "Made by `make docs` from the code. The same calls, to try out, are at `/docs` of a running server."),
        ("Settings", table(("variable", "default", "meaning"), settings())),
        ("Run configuration", table(("field", "default", "accepted", "meaning"), fields())),
        ("REST calls", table(("call", "what it does"), calls())),
        ("Events", "\n\n".join(events())),
        ("Webhook", FOR_RECEIVERS.strip()),
    )
    return "\n\n".join(f"{'#' if i == 0 else '##'} {title}\n\n{text}" for i, (title, text) in enumerate(sections)) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def settings() -> Iterator[tuple[str, ...]]:
    for name, field in Settings.model_fields.items():
        default = field.json_schema_extra["shown"] if isinstance(field.json_schema_extra, dict) else field.default
        yield f"`TRAINBOARD_{name.upper()}`", f"`{default}`", field.description or ""


def fields() -> Iterator[tuple[str, ...]]:
    for name, schema in contract.RunConfig.model_json_schema()["properties"].items():
        meaning = " ".join(filter(None, (schema["description"], schema.get("advice"))))
        default = "" if schema["default"] is None else f"`{schema['default']}`"
        yield f"`{name}`", default, accepted(schema), meaning


def accepted(schema: dict[str, Any]) -> str:
    """What values a field takes, as a person says it: "1 to 1024 examples"."""
    kind = next((s for s in schema.get("anyOf", [schema]) if s.get("type") != "null"), schema)
    unit = f" {schema['unit']}" if "unit" in schema else ""
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    low = kind.get("minimum", kind.get("exclusiveMinimum"))
    if low is not None:
        above = "above " if "exclusiveMinimum" in kind else ""
        return f"{above}{low} to {kind['maximum']}{unit}"
    if kind["type"] == "array":
        return "list of numbers" if kind["items"]["type"] == "integer" else "list of texts"
    return {"boolean": "yes or no", "string": "text"}[kind["type"]]


def calls() -> Iterator[tuple[str, ...]]:
    for path, methods in document()["paths"].items():
        for method, call in methods.items():
            yield f"`{method.upper()} {path}`", call.get("description", call["summary"]).split("\n\n")[0].replace("\n", " ")


def events() -> Iterator[str]:
    yield (
        "Each line of `events.jsonl` and each message of a stream is one of these. All carry `seq` (from 1, without gaps in "
        "one run) and `time` (ISO 8601 UTC); in a stream also `run` and `cursor`."
    )
    for event in get_args(get_args(contract.Event)[0]):
        names = ", ".join(f"`{name}`" for name in event.model_fields if name not in ("seq", "time", "type"))
        yield f"**`{event.model_fields['type'].default}`**: {names}. {inspect.getdoc(event)}"
    yield (
        "**`server`**: `fact`, `status`, `reason`. What the server did: queued, started, adopted or ended a run. In the "
        "database and the streams only; `status` is the run's status from then on."
    )
    names = ", ".join(f"`{name}`" for name in Finding.model_fields)
    yield (
        f"**`finding`**: {names}, `title`, `holds`. What the coach finds of a run's health; `holds` is false once it is no "
        "longer so. Told once, and again when it changes, in the database and the streams only. "
        f"{inspect.getdoc(Finding)}"
    )


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    print(f"Wrote {TARGET}")
