"""All that the server and the worker agree on: a run's configuration, its data, its directory's files, and its events.

The one part of the worker that the backend imports, by this name alone: loading it takes pydantic and the standard
library. Imports nothing else of ours.
"""

from worker.contract.built_in import BUILT_IN_MODELS, DEFAULT_MAX_LENGTH, BuiltInModel
from worker.contract.dataset import FIELD, Checked, DatasetSource, Encoding, Format, Kind, Reading
from worker.contract.events import (
    TERMINAL_PHASES,
    CheckpointEvent,
    EvaluationEvent,
    Event,
    MessageEvent,
    Phase,
    SampleEvent,
    StatusEvent,
    StepEvent,
    SystemEvent,
    decode,
    encode,
    now,
)
from worker.contract.job import (
    ADAPTER_DIR,
    CHECKPOINTS_DIR,
    CONTROL_FILE,
    EVENTS_FILE,
    GROUPS_DIR,
    JOB_FILE,
    LOCK_FD_VARIABLE,
    LOCK_FILE,
    LOG_FILE,
    MANIFEST_FILE,
    MODEL_DIR,
    TOKENS_DIR,
    Control,
    Job,
    LockInfo,
    ModelSource,
    learning_rate,
)
from worker.contract.model_folder import WEIGHTS_FILE, WEIGHTS_INDEX_FILE, is_whole, weight_files
from worker.contract.run_config import RunConfig
from worker.contract.setting import GROUPS

__all__ = [
    "ADAPTER_DIR", "BUILT_IN_MODELS", "CHECKPOINTS_DIR", "CONTROL_FILE", "DEFAULT_MAX_LENGTH", "EVENTS_FILE", "FIELD",
    "GROUPS", "GROUPS_DIR", "JOB_FILE", "LOCK_FD_VARIABLE", "LOCK_FILE", "LOG_FILE", "MANIFEST_FILE", "MODEL_DIR",
    "TERMINAL_PHASES", "TOKENS_DIR", "WEIGHTS_FILE", "WEIGHTS_INDEX_FILE", "BuiltInModel", "Checked",
    "CheckpointEvent", "Control", "DatasetSource", "Encoding", "EvaluationEvent", "Event", "Format", "Job", "Kind",
    "LockInfo", "MessageEvent", "ModelSource", "Phase", "Reading", "RunConfig", "SampleEvent", "StatusEvent",
    "StepEvent", "SystemEvent", "decode", "encode", "is_whole", "learning_rate", "now", "weight_files",
]  # fmt: skip
