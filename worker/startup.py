"""What a process that loads torch sets before it does."""

from __future__ import annotations

import atexit
import gc
import os


def before_torch() -> None:
    """Lets threads that wait give way to others soon, and makes the process start and end a second earlier."""
    # By default a thread of torch's pool that waits spins for long and takes the core from whoever could go on: with two
    # runs on two cores each update took 7 times longer. Not spinning at all costs a third where the cores are free; so
    # spin briefly.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # What a CPU prepares for products in bf16 takes up to a megabyte for each size, and by default a thousand are kept.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    # GPUs have the numbers that nvidia-smi gives them, and the server with it, instead of the fastest being the first.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    # torch and transformers are millions of objects, which live as long as the process: searching them for garbage as they
    # come, and as it ends, takes a third of a short run.
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)
