"""What a run will take, before it starts: worked out by an inspection process, or measured by a short trial."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil

from backend.datasets.store import SAMPLE
from backend.errors import DoesNotFitError
from backend.processes.helper import Helper
from backend.runs.jobs import Plan
from backend.schemas.preflight import Forecast, Preflight, Problem
from backend.schemas.system import Device
from backend.system.devices import candidates
from worker.contract import RunConfig

MOST_KNOWN = 200
FEW_EXAMPLES = 1000  # the training guide's least for a result worth having
MUCH_TRUNCATED = 0.05
USABLE = 0.95  # of the memory that is free; the rest is for what else the machine does


class Estimates:
    """Makes preflights and remembers the latest, so that a run which is known not to fit is not started by mistake."""

    def __init__(self, estimator: Helper, devices: list[Device], data_dir: Path) -> None:
        self._forecaster = estimator
        self._devices = devices
        self._data_dir = data_dir
        self._known: OrderedDict[str, Preflight] = OrderedDict()

    def known(self, planned: Plan) -> Preflight | None:
        """The preflight that was made of just this run, if one was."""
        return self._known.get(_key(planned))

    async def estimate(self, planned: Plan) -> Preflight:
        """By formula, keeping what was measured before. Raises InvalidFieldError if text or model cannot be read."""
        device = self.device(planned.config)
        available = _available(device)
        found = await self._forecaster.answer(
            {
                "op": "preflight",
                "job": planned.job(device=device.id).model_dump(mode="json"),
                "memory_available_bytes": int(available * USABLE),
            }
        )
        known = self.known(planned)
        preflight = Preflight(
            **found,
            device=device.id,
            measured=known.measured if known else None,
            memory_available_bytes=available,
            disk_free_bytes=shutil.disk_usage(self._data_dir).free,
            problems=[],
        )
        return self._remember(planned, preflight)

    async def measure(self, planned: Plan) -> AsyncGenerator[dict[str, Any], None]:
        """Events ``progress`` and a last ``done`` with the Preflight, or ``error``. Leaving early ends the trial."""
        preflight = await self.estimate(planned)
        trial = Helper("worker.preflight.trial", self._data_dir / "trial.log", "measures runs")
        job = planned.job(device=preflight.device).model_dump(mode="json")
        try:
            async with aclosing(trial.ask({"op": "measure", "job": job})) as events:
                async for event in events:
                    if event["event"] == "done":
                        measured = preflight.model_copy(update={"measured": Forecast(**event["data"])})
                        event["data"] = self._remember(planned, measured).model_dump(mode="json")
                    elif event["event"] == "error" and event["data"]["code"] == "out_of_memory":
                        self._remember(planned, preflight.model_copy(update={"fits": False}))
                    yield event
        finally:
            await trial.release()

    def device(self, config: RunConfig) -> Device:
        """The device that the run will most likely get."""
        first = candidates(config.device, [device.id for device in self._devices])[0]
        return next(device for device in self._devices if device.id == first)

    def _remember(self, planned: Plan, preflight: Preflight) -> Preflight:
        """The preflight, with what there is to say about it."""
        if preflight.measured:
            preflight = _by_measurement(preflight)
        preflight = preflight.model_copy(update={"problems": list(_problems(planned.config, preflight))})
        self._known[_key(planned)] = preflight
        self._known.move_to_end(_key(planned))
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return preflight


def require_fitting(preflight: Preflight) -> None:
    """Raises ConflictError with code ``does_not_fit`` if the run is known to end in an error."""
    problem = next((problem for problem in preflight.problems if problem.blocking), None)
    if problem:
        raise DoesNotFitError(
            problem.message, field=problem.field, hint=f"{problem.hint} ?override=true starts it all the same."
        )


def _by_measurement(preflight: Preflight) -> Preflight:
    """What was measured decides whether the run fits."""
    assert preflight.measured
    fits = preflight.measured.peak_memory_bytes <= preflight.memory_available_bytes * USABLE
    return preflight.model_copy(update={"fits": fits})


def _problems(config: RunConfig, preflight: Preflight) -> Iterator[Problem]:
    if not preflight.fits:
        forecast = preflight.measured or preflight.formula
        yield Problem(
            field="batch_size",
            message=f"This run needs about {_gigabytes(forecast.peak_memory_bytes)} of memory on {preflight.device}, and"
            f" {_gigabytes(preflight.memory_available_bytes)} are free.",
            hint=_smaller(config, preflight),
            blocking=True,
        )
    if preflight.disk_bytes > preflight.disk_free_bytes:
        yield Problem(
            field="keep_checkpoints",
            message=f"What this run saves takes {_gigabytes(preflight.disk_bytes)}, and the disk has"
            f" {_gigabytes(preflight.disk_free_bytes)} left.",
            hint="Keep fewer checkpoints, or free some space.",
            blocking=True,
        )
    if preflight.untrained_examples:
        yield Problem(
            field="dataset",
            message=f"{preflight.untrained_examples:,} examples hold nothing to learn within {preflight.max_length} tokens"
            " and are left out.",
            hint="The dataset's page names some of them.",
            blocking=False,
        )
    if (config.validation_split or config.validation_dataset) and not preflight.validation_examples:
        yield Problem(
            field="max_length" if preflight.untrained_examples else "validation_split",
            message="No example is left to evaluate on: there will be no validation loss"
            + (", and no early stopping." if config.early_stopping_patience else "."),
            hint=f"Those to test on hold nothing to learn within {preflight.max_length} tokens: raise Max length."
            if preflight.untrained_examples
            else "Add examples that differ, or raise Validation split.",
            blocking=False,
        )
    if preflight.chat_format_unused:
        yield Problem(
            field="dataset",
            message="This model answers in a chat format, and prompts and completions are learned without it.",
            hint="To have it answer chats, choose on the page of the dataset that its rows are chats, asked by the prompt.",
            blocking=False,
        )
    if preflight.leaked_examples and config.validation_dataset:
        yield Problem(
            field="validation_dataset",
            message=f"{preflight.leaked_examples:,} examples of the validation dataset are nearly the same as one that is"
            " learned, so validation loss will look better than the model is.",
            hint="Take them out of one of the two, or choose another validation dataset.",
            blocking=False,
        )
    elif preflight.leaked_examples and config.dataset != SAMPLE:  # nobody can mend it: its stories are made from templates
        yield Problem(
            field="split_by_group",
            message=f"{preflight.leaked_examples:,} of {preflight.validation_examples:,} validation examples are nearly the"
            " same as one that is learned, so validation loss will look better than the model is.",
            hint="Turn on Keep near-duplicates together. The dataset's page shows some of them.",
            blocking=False,
        )
    if preflight.truncated_share > MUCH_TRUNCATED:
        yield Problem(
            field="max_length",
            message=f"{preflight.truncated_share:.0%} of the examples are longer than {preflight.max_length} tokens; what is"
            " beyond is not learned.",
            hint="Raise Max length if model and memory allow it, or have the dataset read as one long document.",
            blocking=False,
        )
    if preflight.train_examples < FEW_EXAMPLES:
        yield Problem(
            field="dataset",
            message=f"{preflight.train_examples:,} examples to learn from are few.",
            hint=f"A result worth having wants {FEW_EXAMPLES:,} or more; with fewer, watch validation loss for overfitting.",
            blocking=False,
        )


def _smaller(config: RunConfig, preflight: Preflight) -> str:
    size, accumulation = preflight.largest_batch_size, preflight.largest_accumulation
    if size and size < config.batch_size:
        return f"The largest batch that fits is {size}; with Gradient accumulation {accumulation} the result stays the same."
    return "No batch size makes it fit: choose a smaller model, a lower Max length, or Method lora."


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _available(device: Device) -> int:
    """Bytes that a run can have: what is free now of the machine's memory; a GPU is taken to be free when a run gets it."""
    return device.memory_bytes if device.id.startswith("cuda") else psutil.virtual_memory().available


def _key(planned: Plan) -> str:
    """What decides every estimate."""
    config = planned.config.model_dump_json(exclude={"name"})
    texts = planned.dataset.model_dump_json(), str(planned.validation), str(planned.evaluation), str(planned.mixture)
    return "\n".join((config, planned.model.model_dump_json(), *texts))
