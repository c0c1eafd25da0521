"""Everything before the first update: data, model, tokens. Heavy imports wait until the stage that needs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.checkpoints import saver
from worker.checkpoints.folder import sweep
from worker.contract import DatasetSource, Job, MessageEvent, ModelSource, learning_rate
from worker.data import evaluation_store, group_store, token_store
from worker.data.chats.text_ends import text_ends, turn_ends
from worker.data.corpus import Corpus, Examples
from worker.data.encoding import plain_chat_template
from worker.data.mixture import Mixture, mix
from worker.data.split import ALONE
from worker.errors import CheckpointError, DeviceError, ModelError
from worker.process.control import StopSwitch
from worker.training import data_marks, data_report

if TYPE_CHECKING:
    from worker.devices.precision import Precision
    from worker.distributed.group import Group
    from worker.models.loading import LanguageModel
    from worker.training.setup import Setup
    from worker.training.trainer import Trainer

_SECONDS_BEFORE_PROGRESS = 5.0


def prepare(
    job: Job,
    run_dir: Path,
    report: Callable[[Any], object],
    stop: StopSwitch,
    *,
    going_on: bool = False,
    group: Group | None = None,
    most_characters: int | None = None,
) -> tuple[Trainer, int | None]:
    """A Trainer with all it needs, and the update it goes on after if an earlier process of this run is followed.

    ``most_characters``: read only that much of the text, for a trial.

    Raises WorkerError for what a person can put right, StopRequested on a stop.
    """

    began = time.perf_counter()

    def say(text: str, level: str = "info") -> None:
        stop.check()
        report(MessageEvent(level=level, text=text))

    if group is None or group.first:
        sweep(run_dir)
    folder = saver.latest_whole(run_dir, lambda text: say(text, "warning")) if going_on else None
    if folder is None and job.is_exact_fork:
        raise CheckpointError("The checkpoint that this run was to go on from cannot be used.", "Fork from another one.")
    import torch

    from worker.training import resume
    from worker.training.trainer import Trainer

    try:
        setup = make_setup(job, run_dir, say, stop, folder, group, most_characters)
        if setup.group.first:
            event = data_report.data_event(setup.train, setup.validation, token_store.load_tokens(run_dir))
            report(event.model_copy(update=data_marks.marks(setup)))
        trainer = Trainer(setup, report, stop, began)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            "The model does not fit into the GPU's memory.",
            "Choose a smaller model, or free the GPU: another program may be using its memory.",
        ) from error
    return trainer, resume.go_on(trainer, folder, say) if going_on else None


def make_setup(
    job: Job,
    run_dir: Path,
    say: Callable[..., None],
    stop: StopSwitch,
    folder: Path | None,
    group: Group | None = None,
    most_characters: int | None = None,
) -> Setup:
    """Reads the data and loads the model, the one in the checkpoint ``folder`` if there is one. Raises as prepare."""
    if group is None:
        corpus = _corpus(job, run_dir, say, stop, most_characters)
    else:
        with group.first_goes_first():
            corpus = _corpus(job, run_dir, say, stop, most_characters)
    import torch

    from worker.devices.device import device_of
    from worker.devices.precision import choose_precision
    from worker.distributed.group import Group
    from worker.models.frozen import require_four_bits
    from worker.models.packing import choose_layout
    from worker.training import training_state
    from worker.training.optimizer import require_optimizer
    from worker.training.setup import Setup

    group = group or Group()
    device = device_of(job, group.rank if group.size > 1 else None)
    wanted = job.config.precision
    if wanted == "auto" and folder is not None:  # as before: a speed that is measured anew may come out another way
        wanted = training_state.precision_on(device, folder) or wanted
    precision = choose_precision(wanted, device)
    require_optimizer(job.config.optimizer, device, tried=True)
    if job.config.load_in_4bit:
        require_four_bits(device, tried=True)
    training_state.seed_random(job.config.seed)
    with group.first_goes_first():  # downloads and tokens are for all
        language_model, max_length = _model_and_tokens(job, run_dir, corpus, folder, group, say, stop, precision, device)
    parts, further = token_store.load_tokens(run_dir), evaluation_store.load(run_dir, job)
    _stop_at(language_model, _ends(job, language_model.tokenizer, parts))
    found = list(data_report.warnings(job, corpus, parts, token_store.left_out(run_dir), max_length))
    found += [f"{name}: no example has anything to learn." for name, examples in further.items() if not len(examples)]
    for warning in found:
        say(warning, "warning")
    _require_usable(parts, language_model, max_length)
    mixture = mix(job, parts)
    if job.mixture:
        say(_told(job, mixture))
    stop.check()
    sharded = _must_be_sharded(job, language_model, device, precision, group, say)
    place = torch.device("cpu") if sharded else device
    layout, unpacked = choose_layout(language_model, job.config.packing, precision, place)
    if unpacked:
        say(unpacked, "warning")
    training_state.seed_random(job.config.seed)
    torch.manual_seed(job.config.seed + group.rank)  # the processes' dropout should differ
    return Setup(
        job=job,
        run_dir=run_dir,
        language_model=language_model,
        train=mixture.train,
        validation=mixture.validation,
        max_length=max_length,
        learning_rate=learning_rate(job.config, job.model),
        device=device,
        precision=precision,
        layout=layout,
        dataset_sha256=corpus.learned_sha256,
        base_sha256=_base_digest(job, language_model),
        group=group,
        sharded=sharded,
        evaluation=mixture.tests | further,
        counts=tuple(zip((None, *job.mixture), mixture.counts, strict=True)),
    )


def _corpus(job: Job, run_dir: Path, say: Callable[..., None], stop: StopSwitch, most_characters: int | None) -> Corpus:
    def read(number: int, source: DatasetSource) -> Corpus:
        groups, length = ALONE, job.config.max_length
        if job.is_split_by_group and most_characters is None:  # a trial only needs texts of their lengths
            progress = _Progress("Looking for near-duplicates", Path(source.path), say, stop)
            groups = group_store.ensure(run_dir, number, source, length, progress)
        progress = _Progress("Reading the text", Path(source.path), say, stop)
        return Corpus.read(source, job.validation_share, length, progress, most_characters, groups)

    corpus, *mixed = (read(number, source) for number, source in enumerate(job.sources))
    corpus = replace(corpus, mixed=tuple(mixed))
    if job.validation:
        progress = _Progress("Reading the validation dataset", Path(job.validation.path), say, stop)
        corpus = replace(corpus, test=Corpus.read(job.validation, 0, job.config.max_length, progress, most_characters))
    learned = sum(part.split.texts - part.split.test_texts for part in (corpus, *mixed))
    tested = corpus.test_texts + sum(part.test_texts for part in mixed)
    say(f"Read {learned + tested} examples: {learned} to learn from, {tested} to test on.")
    return corpus


def _told(job: Job, mixture: Mixture) -> str:
    """What an epoch is made of."""
    whole = sum(part.tokens for part in mixture.taken)
    told = [
        f"{part.tokens:,} of {name} ({part.tokens / whole:.1%}, {_of_it(part.passes)})"
        for name, part in zip((job.config.dataset, *job.mixture), mixture.taken, strict=True)
    ]
    return f"An epoch learns {whole:,} tokens: {', '.join(told)}."


def _of_it(passes: float) -> str:
    if passes == 1:
        return "all of it"
    return f"{passes:.0%} of it" if passes < 1 else f"{passes:.3g} times all of it"


def _model_and_tokens(
    job: Job,
    run_dir: Path,
    corpus: Corpus,
    folder: Path | None,
    group: Group,
    say: Callable[..., None],
    stop: StopSwitch,
    precision: Precision,
    device: Any,
) -> tuple[LanguageModel, int]:
    """The model and the most tokens that an example may have; the tokens are on the disk then."""
    say(f"Loading the model {job.config.model_name}.")
    path = Path(job.dataset.path)
    progress = _Progress(f"Downloading {job.config.model_name}", path, say, stop)
    language_model = _model(job, corpus, folder, progress, precision, device)
    from worker.models.loading import choose_max_length

    max_length = choose_max_length(job.config.max_length, language_model.context)
    say(f"Turning the text into tokens, at most {max_length} an example.")
    progress = _Progress("Turning the text into tokens", path, say, stop)
    if group.first:
        tokenizer, skip = language_model.tokenizer, job.config.skip_refused_rows
        token_store.ensure(run_dir, corpus, job.validation_share, tokenizer, max_length, progress, skip_refused=skip)
        progress = _Progress("Reading the further evaluation datasets", path, say, stop)
        evaluation_store.ensure(run_dir, job, tokenizer, max_length, progress, corpus.most_characters)
    return language_model, max_length


def _must_be_sharded(
    job: Job, language_model: LanguageModel, device: Any, precision: str, group: Group, say: Callable[..., None]
) -> bool:
    """Whether the model is too large for one device, as all processes must see it alike. Raises DeviceError."""
    import torch

    from worker.distributed import sharding
    from worker.training.optimizer import state_bytes

    state = state_bytes(language_model.model, job.config.optimizer)
    fitting = group.sum(torch.tensor(int(sharding.fits(language_model.model, state, device, group.size))))
    if group.size == 1 or int(fitting) == group.size:
        return False
    _require_shardable(job, precision)
    say(f"The model is too large for one device, so each of the {group.size} holds a part of it.")
    return True


class _Progress:
    """Tells how far a pass over the dataset is, or a download; rarer the longer it takes, and a quick one is over before the
    first word."""

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

    def __call__(self, bytes_read: int, total: int | None = None) -> None:
        """Takes the bytes so far; fewer than before begin another pass. Of a download, ``total`` are the bytes to come.

        Raises StopRequested on a stop.
        """
        self._stop.check()
        if bytes_read < self._last_bytes:
            self._begin()
        self._last_bytes = bytes_read
        now = time.monotonic()
        if now < self._next:
            return
        seconds, share = now - self._started, bytes_read / (total or self._path.stat().st_size)
        self._next = now + max(_SECONDS_BEFORE_PROGRESS, seconds / 20)
        far = f"{share:.0%}" if total is None else f"{_size(bytes_read)} of {_size(total)}"
        left = f", about {_duration(seconds * (1 / share - 1))} left" if share else ""
        self._say(f"{self._what}: {far}{left}.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _model(
    job: Job, corpus: Corpus, folder: Path | None, watch: Callable[[int, int], None], precision: Precision, device: Any
) -> LanguageModel:
    from worker.models import loading

    lora = job.config.method == "lora"
    loading.quiet_libraries()
    if folder is not None and not lora:  # a checkpoint of LoRA is merged, and training goes on with the parts
        loaded = loading.load_model(ModelSource(kind="folder", location=str(folder)))
    elif job.model.kind == "built_in":
        loaded = loading.build(job.model.location, corpus.learn_texts())
    else:
        loaded = loading.load_model(job.model, from_scratch=job.config.from_scratch, watch=watch)
    if job.has_chats and not loaded.tokenizer.chat_template:
        loaded.tokenizer.chat_template = plain_chat_template(loaded.tokenizer)  # which is saved with the model
    if lora:
        from worker.models.lora import add_adapters, shrink_base  # takes long to import

        add_adapters(loaded.model, job.config)
        shrink_base(loaded.model, job.config, precision, device)
    return loaded


def _ends(job: Job, tokenizer: Any, parts: Sequence[tuple[Examples, Examples]]) -> list[int]:
    """The tokens with which what is learned ends."""
    own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    return own + text_ends(tokenizer, [learned for learned, _ in parts]) + (turn_ends(tokenizer) if job.has_chats else [])


def _stop_at(language_model: LanguageModel, ends: Sequence[int]) -> None:
    """Has a text end at these tokens too, here and wherever the saved model is used."""
    config: Any = language_model.model.generation_config
    known = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    found = list(dict.fromkeys(token for token in [*known, *ends] if token is not None))
    if found:
        config.eos_token_id = found[0] if len(found) == 1 else found


def _base_digest(job: Job, language_model: LanguageModel) -> str:
    """A digest of what LoRA leaves alone; empty for other methods, whose checkpoints hold all there is."""
    if job.config.method != "lora":
        return ""
    from worker.models.lora import base_digest

    return base_digest(language_model.model)


def _require_shardable(job: Job, precision: str) -> None:
    """Raises DeviceError for what has not been made to work with a model in parts."""
    reason = "The model is too large for one device, and cut into parts it cannot be trained with"
    if job.config.method == "lora":
        raise DeviceError(f"{reason} LoRA.", "Set Method to full, or choose a smaller model.")
    if job.config.optimizer != "adamw":
        raise DeviceError(f"{reason} {job.config.optimizer}.", "Set Optimizer to adamw, or choose a smaller model.")
    if precision == "fp16":
        raise DeviceError(f"{reason} fp16.", "Set Precision to bf16, or choose a smaller model.")


def _require_usable(parts: Sequence[tuple[Examples, Examples]], language_model: LanguageModel, max_length: int) -> None:
    parts[0][0].require_some(max_length)
    rows = language_model.model.get_input_embeddings().num_embeddings
    if max(int(examples.tokens.max(initial=0)) for examples in parts[0]) >= rows:
        raise ModelError(
            f"The tokenizer knows more tokens than the model ({rows}), so they do not belong together.",
            "Get the model and its tokenizer from the same place.",
        )
