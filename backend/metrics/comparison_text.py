"""A comparison in words: no more than the numbers say. Pure.

Runs that repeat the same settings with other seeds are one *arm*, as is each other run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from backend.metrics.compare import READING, SAME_BUT_FOR_CHANCE, Difference, Outcome, SeedGroup
from backend.schemas.runs import Run
from worker.contract import BUILT_IN_MODELS

_MEASURED_ON = ("dataset", "validation_split", "validation_dataset", "split_by_group", "max_length", READING)
"""What decides which text a validation loss is measured on, and so which losses can be compared."""

_NAMED = 4  # arms or settings that a sentence names; a table has the rest


class Arm(NamedTuple):
    """``loss``: best validation loss, of several seeds their mean; None if not known. ``deviation``: between the seeds."""

    runs: list[str]
    loss: float | None
    deviation: float | None
    seeds: int


def sentences(runs: list[Run], differences: list[Difference], outcomes: list[Outcome], groups: list[SeedGroup]) -> list[str]:
    """What can be said of the runs, the most important first."""
    arms = _arms(outcomes, groups)
    if len(arms) == 1:
        said = [_one_arm(arms[0], differences)]
    else:
        incomparable = _incomparable(differences)
        between = [one for one in differences if _tells_arms_apart(one, groups)]
        besides = _list(one.label for one in differences if one not in between and one.field != "name")
        said = [*incomparable, *_what_differed(arms, between, f" besides {besides}" if besides else "", runs)]
    return [*said, *_unfinished(runs, outcomes)]


def _arms(outcomes: list[Outcome], groups: list[SeedGroup]) -> list[Arm]:
    grouped = {run for group in groups for run in group.runs}
    repeated = [Arm(group.runs, group.mean, group.deviation, group.seeds) for group in groups]
    return repeated + [Arm([one.run], one.best_validation_loss, None, 1) for one in outcomes if one.run not in grouped]


def _tells_arms_apart(difference: Difference, groups: list[SeedGroup]) -> bool:
    if difference.field == "seed":
        return not groups  # where seeds are repeated, they are what is averaged over
    return difference.field not in SAME_BUT_FOR_CHANCE


def _one_arm(arm: Arm, differences: list[Difference]) -> str:
    differed = f"Only {_list(one.label for one in differences if one.field != 'name')} differed"
    if arm.loss is None or arm.deviation is None:
        return f"{differed}. How much chance alone changes is known once runs of two seeds have completed."
    return (
        f"{differed}: best validation loss {_loss(arm.loss)} on average, "
        f"with a standard deviation of {_short(arm.deviation)} over {arm.seeds} seeds."
    )


def _incomparable(differences: list[Difference]) -> list[str]:
    by_field = {difference.field: difference for difference in differences}
    measured = [by_field[field].label for field in _MEASURED_ON if field in by_field]
    if measured:
        return [f"Validation losses are not comparable: {_list(measured)} differed, so they are measured on different text."]
    if "model_name" not in by_field:
        return []
    if _own_tokens(by_field["model_name"]):
        return ["Validation losses are not comparable: a loss is per token, and these models' tokens differ."]
    return ["The models differ. A loss is per token, so theirs are comparable only if they cut text into the same tokens."]


def _own_tokens(model: Difference) -> bool:
    """Whether built-in models of different vocabularies are among them."""
    return len(set(model.values.values()) & BUILT_IN_MODELS.keys()) > 1


def _what_differed(arms: list[Arm], between: list[Difference], besides: str, runs: list[Run]) -> list[str]:
    if not between:
        return [f"The settings are the same{besides}.", *_lowest(arms, _names(runs))]
    comparable = not any(one.field in _MEASURED_ON or (one.field == "model_name" and _own_tokens(one)) for one in between)
    if len(between) > 1:
        labels = _list(difference.label for difference in between)
        said = f"{len(between)} settings differed ({labels}), so what made the difference cannot be told."
        return [said, *(_lowest(arms, _names(runs)) if comparable else [])]
    only = between[0]
    if not comparable:
        return [f"Only {only.label} differed{besides}."]
    if len(arms) > 2:
        return [f"Only {only.label} differed{besides}.", *_lowest(arms, lambda arm: setting_text(only, arm.runs[0]))]
    return _two_arms(only, besides, *arms)


def _names(runs: list[Run]) -> Callable[[Arm], str]:
    names = {run.id: run.name for run in runs}
    return lambda arm: f"“{names[arm.runs[0]]}”"


def _two_arms(only: Difference, besides: str, one: Arm, other: Arm) -> list[str]:
    if one.loss is None or other.loss is None:
        return [f"Only {only.label} differed{besides}. There are not yet two validation losses to compare."]
    (least, low), (most, high) = sorted(((one.loss, one), (other.loss, other)), key=lambda pair: pair[0])
    values = [setting_text(only, arm.runs[0]) for arm in (low, high)]
    if least == most:
        return [f"Only {only.label} differed{besides}: {_list(values)} have the same best validation loss ({_loss(least)})."]
    mean = " on average" if one.seeds > 1 or other.seeds > 1 else ""
    said = (
        f"Only {only.label} differed{besides}: {values[0]} ended {_short(most - least)} lower in best validation loss "
        f"than {values[1]}{mean} ({_loss(least)} against {_loss(most)})."
    )
    return [said, _against_chance(most - least, low, high)]


def _against_chance(apart: float, *arms: Arm) -> str:
    spreads = [arm.deviation for arm in arms if arm.deviation is not None]
    if not spreads:
        return "With one seed each, this may be chance. Repeat both with other seeds to know."
    spread = max(spreads)
    seeds = " and ".join(str(arm.seeds) for arm in arms)
    measure = f"(standard deviation {_short(spread)}, {seeds} seeds)"
    if apart > spread:
        return f"That is more than the spread between seeds {measure}."
    return f"That is within the spread between seeds {measure}: it may be chance."


def _lowest(arms: list[Arm], called: Callable[[Arm], str]) -> list[str]:
    """The arms with the lowest losses, and what the first two are apart."""
    known = [(arm.loss, arm) for arm in arms if arm.loss is not None]
    ranked = sorted(known, key=lambda pair: pair[0])
    if len(ranked) < 2:
        return []
    first, *rest = [f"{called(arm)} ({_loss(loss)})" for loss, arm in ranked[:_NAMED]]
    mean = " on average" if any(arm.seeds > 1 for arm in arms) else ""
    said = f"Lowest best validation loss{mean}: {first}, then {', '.join(rest)}."
    (least, low), (second, next_one) = ranked[:2]
    if low.deviation is None and next_one.deviation is None:
        return [said]
    return [f"{said} The first two are {_short(second - least)} apart.", _against_chance(second - least, low, next_one)]


def _unfinished(runs: list[Run], outcomes: list[Outcome]) -> list[str]:
    status = {outcome.run: outcome.status for outcome in outcomes}
    names = [f"“{run.name}”" for run in runs if status[run.id] != "completed"]
    if not names:
        return []
    done = "it has" if len(names) == 1 else "they have"
    return [f"Not completed: {_list(names)}. What is said here counts only what {done} done."]


def setting_text(difference: Difference, run: str) -> str:
    """A setting's value, as short as it can be read: 5e-5, on, tiny."""
    found = difference.values[run]
    if found is None:
        return "empty"
    if isinstance(found, bool):
        return "on" if found else "off"
    if isinstance(found, list):
        return "[" + "; ".join(str(one) for one in found) + "]"
    if isinstance(found, float):
        return _exponent(f"{found:.6g}")
    return str(found)


def _exponent(text: str) -> str:
    """5e-05 → 5e-5, and 0.0001 → 1e-4 as learning rates are said."""
    number = float(text)
    if number and abs(number) < 0.001:
        mantissa, _, power = f"{number:.5e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
    return text


def _loss(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"


def _short(number: float) -> str:
    """Two digits that count: 0.12, 0.0034, 1.2."""
    return f"{float(f'{number:.2g}'):g}"


def _list(parts: Iterable[str]) -> str:
    """a, b and c; at most ``_NAMED`` of them."""
    all_parts = list(parts)
    if not all_parts:
        return ""
    named = all_parts[:_NAMED]
    if len(all_parts) > _NAMED:
        return f"{', '.join(named)} and {len(all_parts) - _NAMED} more"
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
