"""The documents say what the code does: the reference is generated, and README's paths and targets exist."""

from __future__ import annotations

import re
from pathlib import Path

from docs.generate import TARGET, reference

ROOT = Path(__file__).parent.parent


def test_reference_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "docs/reference.md is out of date: make docs"


def test_reference_names_every_event_route_setting_and_field() -> None:
    text = reference()
    for name in ("`evaluation`", "`POST /api/runs`", "`TRAINBOARD_PORT`", "`gradient_accumulation_steps`"):
        assert name in text


def test_files_and_targets_named_in_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for document in ("README.md", "ARCHITECTURE.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
            assert (ROOT / target).exists(), f"{document} links to {target}"
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document} names make {target}"
