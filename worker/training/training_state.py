"""All that a run needs besides its weights to go on as if nothing had happened, saved with each checkpoint.

Tensors stand in a safetensors file and the rest in JSON; nothing is ever unpickled. Random numbers come from four
places (torch on the CPU and on each GPU, numpy, Python), as models and libraries may draw from any of them.
"""

from __future__ import annotations

import platform
import random
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file, save_file

from worker.contract import STATE_FILE, EvaluationEvent
from worker.devices.precision import Precision
from worker.distributed.group import Group
from worker.distributed.sharding import like, whole
from worker.errors import CheckpointError
from worker.training.setup import Setup

TENSORS_FILE = "training_state.safetensors"

_ARITHMETIC = 1
"""Of the code itself: to be raised by whoever changes the order in which anything is added up, or in what format."""

_COMPARED_AS_THEY_ARE = ("device", "threads", "processes", "precision", "layout")
_LIBRARIES = ("torch", "transformers", "peft", "numpy")
_MOVES_NO_WEIGHT = {
    "name", "early_stopping_patience", "eval_steps", "save_steps", "log_steps", "keep_checkpoints", "sample_prompts",
    "num_workers", "on_oom", "save_dtype",
}  # fmt: skip


class Circumstances(BaseModel):
    """What the bits of a result depend on besides the state itself."""

    settings: dict[str, Any]
    dataset_sha256: str
    base_sha256: str
    versions: dict[str, str]
    device: str
    threads: int
    processes: int
    precision: Precision
    layout: str
    arithmetic: int = 0  # of states from before it was noted


class Tally(BaseModel):
    """Training loss since some moment: its sum in nats over ``tokens`` trained tokens, and the ``seconds`` they took."""

    loss_sum: float = 0.0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, loss_sum: float, tokens: int, seconds: float) -> None:
        """Counts one update."""
        self.loss_sum += loss_sum
        self.tokens += tokens
        self.seconds += seconds


class TrainingState(BaseModel):
    """The part in JSON. ``step`` and ``tokens`` count since the run began, and so give the place in the data's order too.

    ``evaluated_step`` is the last step that was evaluated; ``batch_size`` the one in use, which running out of memory may
    have made smaller than the configured one; ``best`` names the best checkpoint's folder.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    circumstances: Circumstances
    step: int
    tokens: int
    since_report: Tally
    since_evaluation: Tally
    evaluated_step: int
    batch_size: int
    history: list[EvaluationEvent]
    best_loss: float
    misses: int
    best: str | None
    scaler: dict[str, int | float]
    python_random: tuple[int, tuple[int, ...], float | None]
    numpy_random: tuple[str, tuple[int, ...], int, int, float]


def circumstances(setup: Setup) -> Circumstances:
    """Those of this process."""
    device = setup.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    settings = setup.job.config.model_dump(mode="json")
    return Circumstances(
        settings={key: value for key, value in settings.items() if key not in _MOVES_NO_WEIGHT},
        dataset_sha256=setup.dataset_sha256,
        base_sha256=setup.base_sha256,
        versions={"python": platform.python_version(), **{library: version(library) for library in _LIBRARIES}},
        device=f"{device.type} ({name})",
        threads=torch.get_num_threads(),
        processes=setup.group.size,
        precision=setup.precision,
        layout=setup.layout,
        arithmetic=_ARITHMETIC,
    )


def differences(before: Circumstances, now: Circumstances) -> list[str]:
    """Why the bits may come out differently now, one phrase each; empty if they will not."""
    found = []
    if before.dataset_sha256 != now.dataset_sha256:
        found.append("the dataset has changed")
    if before.base_sha256 != now.base_sha256:
        found.append("the model that LoRA adds to has changed")
    if before.arithmetic != now.arithmetic:
        found.append("this version of Trainboard adds up in another order")
    pairs = {
        **{name: (old, now.settings.get(name)) for name, old in before.settings.items()},
        **{name: (old, now.versions.get(name)) for name, old in before.versions.items()},
        **{name: (getattr(before, name), getattr(now, name)) for name in _COMPARED_AS_THEY_ARE},
    }
    found += [f"{name} was {old} and is {new}" for name, (old, new) in pairs.items() if old != new]
    return found


def random_tensors(device: torch.device, group: Group) -> dict[str, torch.Tensor]:
    """The states of torch's generators in each process of the group: [bytes] uint8 each."""
    kinds = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        kinds["cuda"] = torch.cuda.get_rng_state(device)
    return {f"random.{rank}.{kind}": state for kind, own in kinds.items() for rank, state in enumerate(group.gather(own))}


def seed_random(seed: int) -> None:
    """Puts every generator to where a run with this seed begins."""
    for start in (torch.manual_seed, np.random.seed, random.seed):
        start(seed)


def python_and_numpy_random() -> dict[str, Any]:
    """The states of Python's and numpy's global generators, as TrainingState's fields."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {"python_random": random.getstate(), "numpy_random": (kind, tuple(np.asarray(keys).tolist()), *rest)}


def restore_random(state: TrainingState, tensors: dict[str, torch.Tensor], device: torch.device, rank: int) -> None:
    """Puts every generator back to where it was. To be done last, as loading draws from them."""
    kind, keys, position, has_gauss, gauss = state.numpy_random
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    random.setstate(state.python_random)
    if (own := tensors.get(f"random.{rank}.cpu")) is not None:
        torch.set_rng_state(own)
    if device.type == "cuda" and (own := tensors.get(f"random.{rank}.cuda")) is not None:
        torch.cuda.set_rng_state(own, device)


def optimizer_tensors(optimizer: torch.optim.Optimizer, group: Group) -> dict[str, torch.Tensor]:
    """What the optimizer remembers of each weight, by the weight's number and the name of the memory; on the CPU.

    All processes of the group call this together, and only the first one keeps what comes together.
    """
    found = {}
    for number, weight in enumerate(_weights(optimizer)):
        for name, value in optimizer.state.get(weight, {}).items():
            gathered = whole(torch.as_tensor(value))
            if name.startswith("qmap"):  # the table of what 8 bits mean, which all weights share, and no file may
                gathered = gathered.clone()
            if group.first:
                found[f"optimizer.{number}.{name}"] = gathered.cpu()
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """The reverse. Learning rate and weight decay stay as they are: they come from the settings."""
    weights = _weights(optimizer)
    for number, name, value in _named(tensors):
        weight = weights[number]
        whole_number = value.dtype == torch.int64  # bitsandbytes counts updates in Python
        optimizer.state[weight][name] = int(value) if whole_number else like(value, weight).to(weight.device)


def _weights(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _named(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[int, str, torch.Tensor]]:
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, weight, name = key.split(".")
            yield int(weight), name, value


def write_state(folder: Path, state: TrainingState, tensors: dict[str, torch.Tensor]) -> None:
    """Writes both parts into a checkpoint's ``folder``. Raises OSError."""
    (folder / STATE_FILE).write_text(state.model_dump_json())
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / TENSORS_FILE)


def read_state(folder: Path) -> tuple[TrainingState, dict[str, torch.Tensor]]:
    """Both parts. Raises CheckpointError if the checkpoint has none, or not of this version."""
    state = _read_progress(folder)
    try:
        # Copied: what is computed from a mapped file may differ in its last bits, for the numbers lie elsewhere in memory.
        return state, {name: tensor.clone() for name, tensor in load_file(folder / TENSORS_FILE).items()}
    except FileNotFoundError:
        raise _without_state(folder) from None


def precision_on(device: torch.device, folder: Path) -> Precision | None:
    """What the run that saved ``folder`` computed in, if it did so on a device of this kind. Raises as ``read_state``."""
    before = _read_progress(folder).circumstances
    return before.precision if before.device.split()[0] == device.type else None


def _read_progress(folder: Path) -> TrainingState:
    try:
        return TrainingState.model_validate_json((folder / STATE_FILE).read_bytes())
    except FileNotFoundError:
        raise _without_state(folder) from None
    except ValidationError as error:
        raise CheckpointError(f"{folder.name} was saved by another version of Trainboard: {error}") from error


def _without_state(folder: Path) -> CheckpointError:
    return CheckpointError(f"{folder.name} holds weights only, so no run can go on from it.")
