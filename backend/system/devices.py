"""What this machine can train on, found without loading torch."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Collection

import psutil

from backend.schemas.system import Device

log = logging.getLogger(__name__)


def find_devices() -> list[Device]:
    """The processor, then GPUs as torch will number them."""
    memory = psutil.virtual_memory().total
    devices = [Device(id="cpu", name=platform.processor() or platform.machine(), memory_bytes=memory)]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        devices.append(Device(id="mps", name="Apple GPU", memory_bytes=memory))
    return devices + _nvidia()


def candidates(wanted: str, available: list[str]) -> list[str]:
    """Devices that a run may use, best first, for the ``device`` of its configuration; empty if this machine has none."""
    gpus = [device for device in available if device.startswith("cuda:")]
    if wanted == "auto":
        return gpus or [device for device in available if device == "mps"] or ["cpu"]
    if wanted == "cuda":
        return gpus
    return [wanted] if wanted in available else []


def for_texts(busy: Collection[str]) -> str:
    """Where models write and score texts while runs train on the devices that are ``busy``: on no GPU if one does on one."""
    return "cpu" if any(device.startswith("cuda") for device in busy) else "auto"


def choose(wanted: str, count: int, available: list[str], free: set[str]) -> list[str]:
    """Free devices for a run that asks for ``count`` GPUs on ``wanted``; empty as long as there are not that many."""
    needed = 1 if wanted == "cpu" else count  # processes on the processor share it
    fitting = [device for device in candidates(wanted, available) if device in free]
    return fitting[:needed] if len(fitting) >= needed else []


def visibility(chosen: list[str]) -> dict[str, str]:
    """The environment in which a process sees these GPUs alone, numbered from 0, where there are several."""
    if len(chosen) < 2:
        return {}
    ours = os.environ.get("CUDA_VISIBLE_DEVICES")
    numbers = [int(device.removeprefix("cuda:")) for device in chosen]
    names = [str(number) for number in numbers] if ours is None else [ours.split(",")[number].strip() for number in numbers]
    return {"CUDA_VISIBLE_DEVICES": ",".join(names)}


def _nvidia() -> list[Device]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi did not answer, so no GPU is used: %s", error)
        return []
    found = [[part.strip() for part in line.split(",")] for line in output.splitlines()]
    return [
        Device(id=f"cuda:{number}", name=name, memory_bytes=int(mebibytes) << 20 if mebibytes.isdigit() else 0)
        for number, (_, _, name, mebibytes) in enumerate(_visible(found))
    ]


def _visible(found: list[list[str]]) -> list[list[str]]:
    """CUDA_VISIBLE_DEVICES hides GPUs and renumbers the rest, for torch as for us."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return found
    by_name = {key: gpu for gpu in found for key in (gpu[0], gpu[1])}
    return [by_name[name] for name in (part.strip() for part in chosen.split(",")) if name in by_name]
