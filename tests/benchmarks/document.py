"""docs/benchmarks.md: each benchmark writes its own section, between its own two comments, and leaves the rest alone."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path

import psutil

TARGET = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def write_section(name: str, text: str) -> None:
    """Puts ``text`` in place of section ``name``. Raises ValueError if the document does not mark that section."""
    pattern = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    document, found = pattern.subn(lambda marks: marks[1] + text.strip() + "\n" + marks[2], TARGET.read_text("utf-8"))
    if not found:
        raise ValueError(f"{TARGET} has no comments <!-- {name}: begin --> and <!-- {name}: end -->.")
    TARGET.write_text(document, encoding="utf-8")


def origin(command: str, *more: str) -> str:
    """The sentence that says when and where figures were taken; ``more`` is added to the machine."""
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}"
    return ", ".join(
        [f"Written by `{command}` on {time.strftime('%Y-%m-%d')}: {machine}", f"Python {platform.python_version()}", *more]
    )
