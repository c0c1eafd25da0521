"""What a setting of a run carries: its default and bounds, and what the form, the documentation and the CLI show of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

GROUPS = {
    "essentials": "Model and data",
    "method": "What is trained",
    "length": "How long to train",
    "batch": "Batch and memory",
    "rate": "Learning rate",
    "evaluation": "Evaluation and checkpoints",
    "system": "Machine",
}


def setting(
    default: Any,
    help: str,
    *,
    label: str,
    group: str,
    unit: str | None = None,
    advice: str | None = None,
    only_with: tuple[str, str] | None = None,
    **bounds: Any,
) -> Any:
    """A RunConfig field whose schema carries what the form, the documentation and the command line show.

    ``only_with`` is a setting of choices and the choice of it without which this one has no meaning.
    """
    extra: dict[str, Any] = {"label": label, "group": group, "unit": unit, "advice": advice}
    if only_with:
        name, option = only_with
        extra["only_with"] = {"name": name, "option": option}
        help = f"{help} Used with {name} {option} only."
    return Field(
        default,
        description=help,
        json_schema_extra={k: v for k, v in extra.items() if v is not None},
        **bounds,
    )


class Settings(BaseModel):
    """Settings are taken as they are meant or refused: no unknown names, no numbers as text, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())
