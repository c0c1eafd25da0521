"""Votes as preference data, in the columns that TRL's DPOTrainer takes: prompt, chosen, rejected.
https://huggingface.co/docs/trl/dataset_formats#preference
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from backend.schemas.generation import RatedAnswer, Vote


def lines_of(votes: Iterable[Vote]) -> dict[str, list[str]]:
    """JSON lines, of texts and of chats apart, as a column holds one or the other. Left out is what teaches nothing: votes
    for neither answer, and those for one that says nothing."""
    lines: dict[str, list[str]] = {"texts": [], "chats": []}
    for vote in votes:
        if vote.verdict == "better" and vote.chosen.text.strip():
            chat = vote.messages is not None
            row = (
                _chat(vote) if chat else {"prompt": vote.prompt, "chosen": vote.chosen.text, "rejected": vote.rejected.text}
            )
            lines["chats" if chat else "texts"].append(json.dumps(row, ensure_ascii=False))
    return lines


def _chat(vote: Vote) -> dict[str, Any]:
    def said(answer: RatedAnswer) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": answer.text}]

    asked = [message.model_dump() for message in vote.messages or []]
    return {"prompt": asked, "chosen": said(vote.chosen), "rejected": said(vote.rejected)}
