"""Where a run comes from: the run that it was forked from. Imported through ``worker.contract``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from worker.contract.run_config import RunConfig

Carried = Literal["exact", "weights", "start"]


class SettingChange(BaseModel):
    """A setting as the earlier run had it, and as it is now."""

    before: Any
    after: Any


class RunOrigin(BaseModel):
    """``run`` is the id of the earlier run, ``name`` what it was called then, ``changes`` the settings that differ from it.

    ``state`` is what of it goes on: ``exact``, all of what was saved after update ``step``, weights, optimizer, generators
    and the place in the data; ``weights``, those of ``step`` alone, and training begins anew; ``start``, nothing but its
    settings, and ``step`` is null.
    """

    run: str
    name: str
    step: int | None
    state: Carried
    changes: dict[str, SettingChange] = {}


def changes_between(before: RunConfig, after: RunConfig) -> dict[str, SettingChange]:
    """The settings that differ, but for the name, which is what people call the run."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return {
        name: SettingChange(before=old[name], after=value)
        for name, value in new.items()
        if name != "name" and value != old[name]
    }
