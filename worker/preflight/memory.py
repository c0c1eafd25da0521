"""How much memory a run takes, part by part, at the moment when it takes most.

What a pass keeps was counted operation by operation (worker.preflight.tracing); the loss, and what lives through all
updates, are worked out here. Not counted: what FSDP saves, what torch.compile changes, and logits that a design changes
after its output layer, or that an adapter sits on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from worker.devices.precision import Precision
from worker.models.loss import chunk_rows
from worker.preflight.architecture import Design
from worker.preflight.passes import Pass, Passes
from worker.preflight.tracing import Rehearsal, rehearse

LABELS = {
    "program": "Program and libraries",
    "weights": "Weights",
    "gradients": "Gradients",
    "optimizer": "What the optimizer remembers",
    "activations": "What a pass keeps for the way back",
    "logits": "Logits, a part at a time",
    "reading": "The model's file while it is read",
    "saving": "The finished model in the format that it is saved in",
    "gaps": "Gaps between what comes and goes",
}

_SHORT = (8,)  # a pass with next to nothing in it but what every pass takes
_BYTES = 4  # of a number in fp32
# Of what comes and goes with each pass. The C library cannot use all that has been freed: where blocks of other sizes are
# asked for, gaps remain. With MALLOC_MMAP_THRESHOLD_=131072, which leaves none, there are none to be added.
_GAPS = 0.3


@dataclass(frozen=True)
class Footprint:
    """Of the ``passes`` that a run of this ``design`` makes. ``program_bytes`` are there before the model is.

    ``loaded``: the model has weights, which are read from a file. ``optimizer_bytes`` are what the optimizer remembers.
    """

    design: Design
    passes: Passes
    device: torch.device
    precision: Precision
    program_bytes: int
    loaded: bool
    optimizer_bytes: int

    @property
    def logit_bytes(self) -> list[int]:
        """Of what is made of each logit: itself, which becomes its gradient, and on a GPU what softmax makes of it, as there
        that is made of all of them at once."""
        return [2 if self.precision != "fp32" else _BYTES, *([_BYTES] if self.device.type != "cpu" else [])]

    def rehearsal(self, cells: float) -> Rehearsal:
        """What a pass of so many cells takes, judged by the run's largest and by a very short one."""
        largest, _ = self.passes.largest(self.passes.batch_size)
        lengths = largest.lengths
        # There texts of all lengths are one call, as on a CPU those of one length are.
        if self.device.type == "cuda" and self.precision != "fp32":
            lengths = (sum(lengths) // len(lengths),) * len(lengths)
        short = rehearse(self.design, _SHORT, self.precision)
        return short.towards(rehearse(self.design, lengths, self.precision), cells)

    def peak_bytes(self, batch_size: int) -> int:
        """The most that the run takes if its batches have this size."""
        return sum(self.parts(batch_size).values())

    def parts(self, batch_size: int) -> dict[str, int]:
        """The same by its parts, named as in LABELS."""
        weights, trained = self.design.held_bytes, _BYTES * self.design.trained_parameters
        always = {"program": self.program_bytes, "weights": weights}
        whole = {**always, "weights": _BYTES * self.design.parameters}
        moments = {"optimizer": self.optimizer_bytes}
        moments_of_time: list[dict[str, float]] = [
            always | moments | self._with_gaps(part) for part in self._training(batch_size, trained)
        ]
        if check := self.passes.largest_evaluation(batch_size):
            layer = self.rehearsal(check.cells).kept / self.design.layers
            part = {"activations": layer, "logits": self._logits_bytes(check.targets)}
            moments_of_time.append(always | moments | self._with_gaps(part))
        if self.device.type == "cpu":  # where a model is read, and merged, whatever it is trained on
            saving = self.design.result.itemsize * self.design.parameters if self.design.result != torch.float32 else 0
            again = whole["weights"] if self.design.read_again else 0
            moments_of_time.append({**whole, **moments, "saving": saving, "reading": again})
            if self.loaded:
                moments_of_time.append({**whole, "reading": weights})
        most = max(moments_of_time, key=lambda parts: sum(parts.values()))
        return {name: round(size) for name, size in most.items()}

    def _training(self, batch_size: int, trained: int) -> list[dict[str, float]]:
        """What an update's largest pass takes: going forward, at the loss, and going back."""
        largest, has_others = self.passes.largest(batch_size)
        counted = self.rehearsal(largest.cells)
        earlier = trained if has_others else 0  # gradients of the passes before
        head = self._head_gradients(largest)
        return [
            {"gradients": earlier, "activations": counted.forward},
            {
                "gradients": earlier + head["weight"],
                "activations": counted.kept + head["hidden"] + head["half"],
                "logits": self._logits_bytes(largest.targets),
            },
            {"gradients": trained, "activations": max(0.0, counted.backward - trained)},
        ]

    def _head_gradients(self, largest: Pass) -> dict[str, float]:
        """What ``loss.linear_cross_entropy_sum`` makes beside the logits: the gradients, and in half precision the weight
        again and its gradient again."""
        head = self.design.head
        needs = head.requires_grad
        half = 2 * head.numel() * (1 + needs) if self.precision != "fp32" and head.dtype == torch.float32 else 0
        return {
            "weight": _BYTES * head.numel() * needs,
            "hidden": _BYTES * largest.targets * head.shape[1],
            "half": half,
        }

    def _logits_bytes(self, targets: int) -> int:
        """Of one chunk."""
        vocabulary = int(self.design.head.shape[0])
        rows = chunk_rows(self.device.type, vocabulary)
        return min(targets, rows) * vocabulary * sum(self.logit_bytes)

    def _with_gaps(self, parts: dict[str, float]) -> dict[str, float]:
        """A GPU's memory is handed out by torch, and what it counts there has no gaps. Logits are large enough to be handed
        out and taken back by the system itself."""
        if self.device.type != "cpu":
            return parts
        return parts | {"gaps": _GAPS * (parts.get("gradients", 0) + parts["activations"])}
