"""What the machine does meanwhile: waiting, idling, full memory, silence."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from backend.coach.finding import Finding
from backend.coach.record import RunRecord

SLOW = 0.25
"""Share of an update's time that goes into waiting for data. Laying out batches takes some hundredths."""
LONG_ENOUGH_S = 3.0
"""Seconds of updates before their shares are believed."""
SAMPLES = 6
"""Samples of the GPU: half a minute."""
IDLE = 30.0
"""Percent of a GPU's time, below which it waits for something else."""
BUSY = 80.0
ROOMY = 0.25
"""Share of the device's memory in use, below which four times the batch would fit."""
FULL = 0.95
"""Share of the device's memory, above which a longer batch, or a fragment, ends the run."""
SILENT_S = 300.0
SILENT_UPDATES = 30.0
"""A run is stalled after the longer of five minutes and of 30 updates' time: evaluations and checkpoints take a few."""


def slow_input(record: RunRecord) -> Finding | None:
    """Updates wait for their batches."""
    spent = record.seconds
    whole = sum(spent[part] for part in ("data", "forward", "backward", "optimizer"))
    if whole < LONG_ENOUGH_S or spent["data"] < SLOW * whole:
        return None
    share = spent["data"] / whole
    return Finding(
        rule="slow_input",
        level="warning",
        step=record.step,
        from_step=1,
        evidence={
            "waiting for data (%)": round(100 * share),
            "waiting for data (s)": round(spent["data"], 1),
            "updates in all (s)": round(whole, 1),
        },
        text=f"{share:.0%} of the updates' time goes into waiting for data: the disk or the layout of batches is too slow.",
        advice="Lay out batches ahead (Loading threads 2), and keep the data on a local disk.",
        fix={"num_workers": 2} if not record.config.get("num_workers") else None,
    )


def idle_device(record: RunRecord) -> Finding | None:
    """The GPU has nothing to do for most of the time."""
    busy = _busy(record)
    if busy is None or busy >= IDLE:
        return None
    return Finding(
        rule="idle_device",
        level="warning",
        step=record.step,
        from_step=record.system[0]["step"],
        evidence={"GPU busy (%)": round(busy), "samples": len(record.system)},
        text=f"The GPU is busy for {busy:.0f}% of the time: it waits for the rest of the machine.",
        advice="Use larger batches with less accumulation, and Loading threads.",
        fix={"num_workers": 2} if not record.config.get("num_workers") else None,
    )


def small_batch(record: RunRecord) -> Finding | None:
    """A large device reads a few examples at once."""
    busy, used, whole = _busy(record), _gpu_memory(record), record.device_memory_bytes
    if busy is None or not used or not whole or busy >= BUSY or used >= ROOMY * whole:
        return None
    batch, accumulation = record.known("batch_size"), record.known("gradient_accumulation_steps")
    times = min(4, accumulation or 1)
    return Finding(
        rule="small_batch",
        level="warning",
        step=record.step,
        from_step=record.system[0]["step"],
        evidence={
            "GPU memory in use (GB)": round(used / 1e9, 1),
            "GPU memory (GB)": round(whole / 1e9, 1),
            "GPU busy (%)": round(busy),
            "batch size": batch,
        },
        text=f"Batches of {batch} fill {used / whole:.0%} of the GPU's memory and keep it busy for {busy:.0f}% of the time.",
        advice="Raise Batch size, and lower Gradient accumulation alike: the result stays the same, and comes sooner.",
        fix={"batch_size": batch * times, "gradient_accumulation_steps": accumulation // times} if times > 1 else None,
    )


def memory_full(record: RunRecord) -> Finding | None:
    """Batches did not fit, or nearly do not."""
    batch, wanted = record.facts.get("batch_size"), record.config.get("batch_size")
    accumulation = record.config.get("gradient_accumulation_steps") or 1
    used, whole = _gpu_memory(record), record.device_memory_bytes
    if batch and wanted and batch < wanted:
        return Finding(
            rule="memory_full",
            level="warning",
            step=record.step,
            from_step=record.step,
            evidence={"batch size asked for": wanted, "batch size that fits": batch},
            text=f"The memory was full with batches of {wanted}, so the run goes on with batches of {batch}.",
            advice="Keep the smaller batch: with more accumulation the result is the same.",
            fix={"batch_size": batch, "gradient_accumulation_steps": accumulation * wanted // batch},
        )
    if not used or not whole or used < FULL * whole:
        return None
    return Finding(
        rule="memory_full",
        level="warning",
        step=record.step,
        from_step=record.system[0]["step"],
        evidence={"GPU memory in use (GB)": round(used / 1e9, 1), "GPU memory (GB)": round(whole / 1e9, 1)},
        text=f"{used / whole:.0%} of the GPU's memory is in use: a batch of longer texts may not fit.",
        advice="Halve Batch size and double Gradient accumulation, or switch on Gradient checkpointing.",
        fix={"batch_size": wanted // 2, "gradient_accumulation_steps": accumulation * 2} if wanted and wanted > 1 else None,
    )


def stalled(record: RunRecord, now: datetime) -> Finding | None:
    """A run that trains has been silent for long. ``now`` has a time zone."""
    if record.last_time is None or record.facts.get("phase") not in ("training", "evaluating", "saving"):
        return None
    silent = now.astimezone(timezone.utc).timestamp() - record.last_time
    taken = record.steps.newest("step_ms")
    usual = float(np.median(taken)) / 1000 if len(taken) else 0.0
    if silent < max(SILENT_S, SILENT_UPDATES * usual):
        return None
    return Finding(
        rule="stalled",
        level="warning",
        step=record.step,
        from_step=record.step,
        evidence={"silent for (s)": round(silent), "an update takes (s)": round(usual, 2)},
        text=f"The run has said nothing for {silent / 60:.0f} minutes, while an update takes {usual:.1f} s: it may hang.",
        advice="Look at its log and at the machine. Stop it and go on from the last checkpoint if nothing moves.",
    )


def _busy(record: RunRecord) -> float | None:
    """Median percent of the latest samples of a GPU."""
    told = [one["gpu_percent"] for one in record.system if one.get("gpu_percent") is not None]
    return float(np.median(told)) if len(told) >= SAMPLES else None


def _gpu_memory(record: RunRecord) -> int | None:
    """The most bytes of it that were in use lately."""
    return max((one["gpu_memory_bytes"] for one in record.system if one.get("gpu_memory_bytes")), default=None)
