"""Which of two answers is better: votes, win rates, and preference data made of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import ServicesDep
from backend.api.models.generate import require_one
from backend.datasets import made
from backend.errors import ConflictError, InvalidFieldError
from backend.schemas.data import Dataset
from backend.schemas.generation import NewVote, PreferenceData, Vote, VoteList
from backend.votes import standings
from backend.votes.preferences import lines_of

router = APIRouter(prefix="/api/votes", tags=["votes"])

LEAST_ROWS = 2  # a dataset of fewer is refused, as nothing can be kept aside of it


@router.post("", status_code=201)
def vote(wanted: NewVote, services: ServicesDep) -> Vote:
    """Keep what a person found of two answers."""
    require_one(wanted.prompt, wanted.messages)
    if wanted.verdict == "better" and wanted.chosen.text == wanted.rejected.text:
        raise InvalidFieldError(
            "verdict", "Both answers are the same, so neither is better.", hint="Call them equal, or both bad."
        )
    return services.votes.add(wanted)


@router.get("")
def list_votes(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=0, le=1000)] = 100,
    start: Annotated[int, Query(ge=0, description="How many of the newest to pass over")] = 0,
) -> VoteList:
    """The newest first, and how often each model won."""
    votes = services.votes.all()
    return VoteList(
        items=votes[::-1][start : start + limit],
        total=len(votes),
        models=standings.by_model(votes),
        pairs=standings.by_pair(votes),
    )


@router.delete("/{vote_id}", status_code=204)
def delete_vote(vote_id: str, services: ServicesDep) -> None:
    services.votes.remove(vote_id)


@router.post("/dataset", status_code=201)
def make_dataset(services: ServicesDep) -> PreferenceData:
    """Make a dataset of the votes: rows of prompt, chosen and rejected, as DPO takes them. Texts and chats are apart, and
    votes for neither answer are left out. The same votes again answer with the dataset there is."""
    votes = services.votes.all()
    lines = lines_of(votes)
    found: list[Dataset] = [
        made.add_lines(services.datasets, f"Votes on {kind}.jsonl", rows)
        for kind, rows in lines.items()
        if len(rows) >= LEAST_ROWS
    ]
    if not found:
        raise ConflictError(
            f"A dataset needs at least {LEAST_ROWS} votes for one answer and against another.",
            hint="Rate some more answers.",
        )
    return PreferenceData(items=found, left_out=len(votes) - sum(dataset.rows for dataset in found))
