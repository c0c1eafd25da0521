"""Everything before the first update: data, model, tokens. Heavy imports wait until the stage that needs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker import checkpoint
from worker.contract import Job, MessageEvent, learning_rate
from worker.control import StopSwitch
from worker.data import Examples, read_lines, split_texts, tokenize
from worker.errors import DataError, DeviceError, ModelError

if TYPE_CHECKING:
    from worker.model import LanguageModel
    from worker.trainer import Trainer


def prepare(job: Job, run_dir: Path, report: Callable[[Any], None], stop: StopSwitch) -> Trainer:
    """A Trainer with all it needs. Raises WorkerError for what a person can put right, StopRequested on a stop."""

    def say(text: str, level: str = "info") -> None:
        stop.check()
        report(MessageEvent(level=level, text=text))

    checkpoint.sweep(run_dir)
    learn, test = split_texts(read_lines(Path(job.dataset_path)), job.config.validation_split)
    say(f"Read {len(learn) + len(test)} examples: {len(learn)} to learn from, {len(test)} to test on.")
    import torch

    from worker.optimization import choose_device, choose_precision
    from worker.trainer import Setup, Trainer

    device = choose_device(job.config.device if job.device == "auto" else job.device)
    precision = choose_precision(job.config.precision, device)
    torch.manual_seed(job.config.seed)
    say(f"Loading the model {job.config.model_name}.")
    language_model = _model(job, learn)
    from worker.model import choose_max_length

    max_length = choose_max_length(job.config.max_length, language_model.context)
    say(f"Turning the text into tokens, at most {max_length} an example.")
    train = tokenize(learn, language_model.tokenizer, max_length, stop.check)
    validation = tokenize(test, language_model.tokenizer, max_length, stop.check)
    if job.config.validation_split and not test:
        say("All lines are the same, so none is kept aside: there will be no validation loss.", "warning")
    for warning in _findings(train, validation, max_length):
        say(warning, "warning")
    _require_usable(train, validation, language_model)
    stop.check()
    setup = Setup(
        job, run_dir, language_model, train, validation, max_length, learning_rate(job.config, job.model), device, precision
    )
    try:
        return Trainer(setup, report, stop)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The model does not fit into the memory of {device}.",
            "Choose a smaller model, or free the GPU: another program may be using its memory.",
        ) from error


def _model(job: Job, learn: list[str]) -> LanguageModel:
    from worker import model

    if job.model.kind == "built_in":
        model.quiet_libraries()
        return model.build(job.model.location, learn)
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
