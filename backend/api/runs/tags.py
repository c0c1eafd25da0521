"""The tags in use."""

from __future__ import annotations

from fastapi import APIRouter

from backend.api.deps import ServicesDep
from backend.runs import queries
from backend.schemas.runs import TagList

router = APIRouter(prefix="/api/tags", tags=["runs"])


@router.get("")
def list_tags(services: ServicesDep) -> TagList:
    """The tags of runs that are not archived, and how many runs have each; the most used first."""
    with services.database.read() as connection:
        return TagList(items=queries.tags(connection))
