"""Tokenizers and tokens of a dataset, or of its beginning where it is large, kept for the next question about it."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from worker.contract import BUILT_IN_MODELS, Job, RunConfig
from worker.data.corpus import Corpus, Examples
from worker.data.encoding import plain_chat_template
from worker.data.formats import silent

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHARACTERS_FOR_TOKENIZER = 50_000_000  # more than train_tokenizer reads, so that a run makes the same one
_CHARACTERS_TOKENIZED = 4_000_000  # about a million tokens: a second or two
_KEPT = 4

Made = TypeVar("Made")


class Sample(NamedTuple):
    """The examples of a text's beginning; ``share`` of the file is in it, 1.0 being all."""

    train: Examples
    validation: Examples
    share: float
    max_length: int
    vocabulary: int


class Samples:
    """Makes what a question needs, and keeps the latest few of each."""

    def __init__(self) -> None:
        self._kept: dict[str, OrderedDict[str, Any]] = {}

    def corpus(self, job: Job, most_characters: int = _CHARACTERS_FOR_TOKENIZER) -> Corpus:
        """The dataset or its beginning, split as the run will split it."""
        config = job.config
        key = f"{_of_text(job)} {most_characters}"
        return self._keep(
            "corpus",
            key,
            lambda: Corpus.read(job.dataset, config.validation_split, config.max_length, most_characters=most_characters),
        )

    def tokenizer(self, job: Job) -> PreTrainedTokenizerBase:
        """The one that the run will have. Raises DataError, ModelError."""
        built_in = job.model.kind == "built_in"
        key = f"{job.model.model_dump_json()} {job.dataset.reading.kind == 'chat'} {_of_text(job) if built_in else ''}"
        return self._keep("tokenizer", key, lambda: self._make_tokenizer(job))

    def max_length(self, job: Job) -> int:
        """Tokens at which the run will cut its examples."""
        from worker.models.loading import choose_max_length

        spec = BUILT_IN_MODELS.get(job.model.location) if job.model.kind == "built_in" else None
        return choose_max_length(job.config.max_length, spec.context if spec else None)

    def sample(self, job: Job) -> Sample:
        """The first examples of the run, in tokens. Raises DataError, ModelError."""
        max_length = self.max_length(job)
        key = f"{job.model.model_dump_json()} {_of_text(job)} {max_length} {job.config.skip_refused_rows}"
        return self._keep("sample", key, lambda: self._make_sample(job, max_length))

    def _make_tokenizer(self, job: Job) -> PreTrainedTokenizerBase:
        from worker.data.tokenizer import train_tokenizer
        from worker.models import loading

        loading.quiet_libraries()
        if job.model.kind == "built_in":
            spec = BUILT_IN_MODELS[job.model.location]
            tokenizer = train_tokenizer(self.corpus(job).learn_texts(), spec.vocab_size, spec.context)
        else:
            tokenizer = loading.load_tokenizer(job.model)
        if job.dataset.reading.kind == "chat" and not tokenizer.chat_template:
            tokenizer.chat_template = plain_chat_template(tokenizer)
        return tokenizer

    def _make_sample(self, job: Job, max_length: int) -> Sample:
        from worker.data import token_store

        tokenizer = self.tokenizer(job)
        corpus = self.corpus(job, _CHARACTERS_TOKENIZED)
        with tempfile.TemporaryDirectory() as folder:
            skip = job.config.skip_refused_rows
            share = job.config.validation_split
            token_store.ensure(Path(folder), corpus, share, tokenizer, max_length, silent, skip_refused=skip)
            train, validation = token_store.load_tokens(Path(folder))
            return Sample(train.in_memory(), validation.in_memory(), corpus.share, max_length, len(tokenizer))

    def _keep(self, kind: str, key: str, make: Callable[[], Made]) -> Made:
        kept = self._kept.setdefault(kind, OrderedDict())
        if key not in kept:
            kept[key] = make()
        kept.move_to_end(key)
        if len(kept) > _KEPT:
            kept.popitem(last=False)
        made: Made = kept[key]
        return made


def _of_text(job: Job) -> str:
    """All that a run's text and its split depend on."""
    config: RunConfig = job.config
    file = Path(job.dataset.path)
    changed = file.stat().st_mtime_ns if file.exists() else 0
    length = config.max_length if job.dataset.reading.kind == "document" else None
    return f"{job.dataset.model_dump_json()} {changed} {config.validation_split} {length}"
