"""What can go wrong that a person can put right.

    WorkerError
    ├── DataError       the dataset cannot be read or holds too little
    ├── ModelError      the model cannot be found, loaded or used with these settings
    ├── PromptError     the prompt is longer than the model can read
    ├── UnsupportedError a field of a request asks for what this model or installation does not have
    ├── DeviceError     the device or precision asked for is not there, or its memory is full
    ├── TrainingError   training went wrong, for example by a loss that is not a number
    └── CheckpointError a saved folder is missing, damaged or cannot be written

Anything else that reaches the top of the worker is a bug and is reported with its traceback.
"""

from __future__ import annotations


class WorkerError(Exception):
    """A failure to be told to a person: ``reason`` says what happened and where, ``hint`` what to do about it."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class DataError(WorkerError):
    """The dataset cannot be read or holds too little."""


class ModelError(WorkerError):
    """The model cannot be found, loaded or used with these settings."""


class PromptError(WorkerError):
    """The prompt is longer than the model can read."""


class UnsupportedError(WorkerError):
    """``field`` of a request asks for what this model or installation does not have."""

    def __init__(self, field: str, reason: str, hint: str | None = None) -> None:
        super().__init__(reason, hint)
        self.field = field


class DeviceError(WorkerError):
    """The device or precision asked for is not there, or its memory is full."""


class TrainingError(WorkerError):
    """Training went wrong, for example by a loss that is not a number."""


class CheckpointError(WorkerError):
    """A saved folder is missing, damaged or cannot be written."""


class StopRequested(Exception):  # noqa: N818 - a request, not an error
    """Somebody asked the run to stop; whoever holds the model saves it."""
