"""Everything before the first update: data, model, tokens. Heavy imports wait until the stage that needs them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker import checkpoint, tokens
from worker.contract import Job, MessageEvent, learning_rate
from worker.control import StopSwitch
from worker.data import Corpus, Examples
from worker.errors import DataError, DeviceError, ModelError

if TYPE_CHECKING:
    from worker.model import LanguageModel
    from worker.trainer import Trainer

_SECONDS_BEFORE_PROGRESS = 5.0


def prepare(job: Job, run_dir: Path, report: Callable[[Any], None], stop: StopSwitch) -> Trainer:
    """A Trainer with all it needs. Raises WorkerError for what a person can put right, StopRequested on a stop."""

    def say(text: str, level: str = "info") -> None:
        stop.check()
        report(MessageEvent(level=level, text=text))

    checkpoint.sweep(run_dir)
    path = Path(job.dataset_path)
    corpus = Corpus.read(path, job.config.validation_split, _Progress("Reading the text", path, say, stop))
    texts, test_texts = corpus.split.texts, corpus.split.test_texts
    say(f"Read {texts} examples: {texts - test_texts} to learn from, {test_texts} to test on.")
    import torch

    from worker.optimization import choose_device, choose_precision
    from worker.trainer import Setup, Trainer

    device = choose_device(job.config.device if job.device == "auto" else job.device)
    precision = choose_precision(job.config.precision, device)
    torch.manual_seed(job.config.seed)
    say(f"Loading the model {job.config.model_name}.")
    language_model = _model(job, corpus)
    from worker.model import choose_max_length

    max_length = choose_max_length(job.config.max_length, language_model.context)
    say(f"Turning the text into tokens, at most {max_length} an example.")
    progress = _Progress("Turning the text into tokens", path, say, stop)
    tokens.ensure(run_dir, corpus, job.config.validation_split, language_model.tokenizer, max_length, progress)
    train, validation = tokens.load(run_dir)
    if job.config.validation_split and not test_texts:
        say("All lines are the same, so none is kept aside: there will be no validation loss.", "warning")
    for warning in _findings(train, validation, max_length):
        say(warning, "warning")
    _require_usable(train, validation, language_model)
    stop.check()
    setup = Setup(
        job,
        run_dir,
        language_model,
        train,
        validation,
        max_length,
        learning_rate(job.config, job.model),
        device,
        precision,
        corpus.sha256,
    )
    try:
        return Trainer(setup, report, stop)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The model does not fit into the memory of {device}.",
            "Choose a smaller model, or free the GPU: another program may be using its memory.",
        ) from error


class _Progress:
    """Tells how far a pass over the dataset is, rarer the longer it takes; a quick one is over before the first word."""

    def __init__(self, what: str, path: Path, say: Callable[[str], None], stop: StopSwitch) -> None:
        self._what = what
        self._path = path
        self._say = say
        self._stop = stop
        self._last_bytes = 0
        self._begin()

    def _begin(self) -> None:
        self._started = time.monotonic()
        self._next = self._started + _SECONDS_BEFORE_PROGRESS

    def __call__(self, bytes_read: int) -> None:
        """Takes the bytes read so far; fewer than before begin another pass. Raises StopRequested on a stop."""
        self._stop.check()
        if bytes_read < self._last_bytes:
            self._begin()
        self._last_bytes = bytes_read
        now = time.monotonic()
        if now < self._next:
            return
        seconds, share = now - self._started, bytes_read / self._path.stat().st_size
        self._next = now + max(_SECONDS_BEFORE_PROGRESS, seconds / 20)
        self._say(f"{self._what}: {share:.0%}, about {_duration(seconds * (1 / share - 1))} left.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _model(job: Job, corpus: Corpus) -> LanguageModel:
    from worker import model

    if job.model.kind == "built_in":
        model.quiet_libraries()
        return model.build(job.model.location, corpus.learn_texts())
    model.quiet_libraries(bars=sys.stderr.isatty())  # a download is worth watching; a log file is no place for bars
    loaded = model.load(job.model, from_scratch=job.config.from_scratch)
    model.quiet_libraries()
    return loaded


def _findings(train: Examples, validation: Examples, max_length: int) -> list[str]:
    found = []
    total = len(train) + len(validation)
    if cut := train.cut + validation.cut:
        found.append(f"{cut} of {total} examples are longer than {max_length} tokens; what is beyond is not learned.")
    if dropped := train.dropped + validation.dropped:
        found.append(f"{dropped} examples were left out, as there is nothing in them to predict.")
    return found


def _require_usable(train: Examples, validation: Examples, language_model: LanguageModel) -> None:
    if not len(train):
        raise DataError("No example is long enough to learn from.", "Give lines of at least a few words.")
    rows = language_model.model.get_input_embeddings().num_embeddings
    if max(int(examples.tokens.max(initial=0)) for examples in (train, validation)) >= rows:
        raise ModelError(
            f"The tokenizer knows more tokens than the model ({rows}), so they do not belong together.",
            "Get the model and its tokenizer from the same place.",
        )
