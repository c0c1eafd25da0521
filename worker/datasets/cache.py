"""Tokenizers and tokens of a dataset, or of its beginning where it is large, kept for the next question about it."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from worker.contract import BUILT_IN_MODELS, DatasetSource, Job, RunConfig
from worker.data.corpus import Corpus, Examples, section_characters
from worker.data.encoding import plain_chat_template
from worker.data.formats import silent
from worker.data.formats.text import Progress
from worker.data.mixture import Taken, mix
from worker.data.near_duplicates import NearDuplicates, find
from worker.data.split import ALONE
from worker.datasets.leaks import Leaks, leaks_between

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHARACTERS_FOR_TOKENIZER = 50_000_000  # more than train_tokenizer reads, so that a run makes the same one
_CHARACTERS_TOKENIZED = 4_000_000  # about a million tokens: a second or two
_BYTES_SEARCHED = 2_000_000  # for near-duplicates, unless somebody asks: a second, or a few where all texts are alike
_KEPT = 4

Made = TypeVar("Made")


class Sample(NamedTuple):
    """The examples of a text's beginning; ``share`` of the file is in it, 1.0 being all, and ``validation_share`` of the one
    that the validation examples are from. ``further``: other examples to evaluate on, and the share of their file.
    ``mixture``: what an epoch takes of each dataset, as far as is known from here. ``exact``: all of every file is here."""

    train: Examples
    validation: Examples
    share: float
    validation_share: float
    max_length: int
    vocabulary: int
    further: tuple[tuple[Examples, float], ...] = ()
    mixture: tuple[Taken, ...] = ()
    exact: bool = True


class Samples:
    """Makes what a question needs, and keeps the latest few of each."""

    def __init__(self) -> None:
        self._kept: dict[str, OrderedDict[str, Any]] = {}

    def corpus(self, job: Job, most_characters: int = _CHARACTERS_FOR_TOKENIZER) -> Corpus:
        """The dataset or its beginning, split as the run will split it."""
        key = f"{_of_text(job)} {most_characters}"
        return self._keep("corpus", key, lambda: self._read(job, most_characters))

    def _read(self, job: Job, most_characters: int) -> Corpus:
        def read(source: DatasetSource) -> Corpus:
            length = job.config.max_length
            groups = self.near_duplicates(source, length).groups if job.is_split_by_group else ALONE
            return Corpus.read(source, job.validation_share, length, most_characters=most_characters, groups=groups)

        corpus, *mixed = map(read, job.sources)
        return replace(corpus, mixed=tuple(mixed))

    def near_duplicates(self, source: DatasetSource, max_length: int | None, progress: Progress = silent) -> NearDuplicates:
        """Those in the whole dataset, as it is the whole that a run splits. ``max_length`` as in Corpus.read."""
        key = f"{_of_file(source)} {section_characters(max_length)}"
        return self._keep("groups", key, lambda: find(source, max_length, progress))

    def leaks(self, job: Job) -> tuple[int | None, list[dict[str, Any]]]:
        """How many texts for testing are nearly the same as one that is learned, and examples of those in a dataset of their
        own; None if it is not known, as there is much text."""
        sources = [source for source in (*job.sources, job.validation) if source]
        if not job.is_evaluated or sum(Path(source.path).stat().st_size for source in sources) > _BYTES_SEARCHED:
            return None, []
        if job.validation is None:
            return self._leaked(job), []
        found = [self._leaks_between(source, job.validation, job.config.max_length) for source in job.sources]
        leaked = np.unique(np.concatenate([leaks.places for leaks in found]))
        return len(leaked), [pair for leaks in found for pair in leaks.examples]

    def _leaks_between(self, learned: DatasetSource, test: DatasetSource, max_length: int | None) -> Leaks:
        key = f"{_of_file(learned)} {_of_file(test)} {section_characters(max_length)}"
        return self._keep("leaks", key, lambda: leaks_between(learned, test, max_length))

    def _leaked(self, job: Job) -> int:
        groups = self.near_duplicates(job.dataset, job.config.max_length).groups
        places, shared = groups.places[:-1], groups.shared[:-1]
        is_test = self.corpus(job).split.tests(places)
        return int(np.isin(shared[is_test], shared[~is_test]).sum())

    def tokenizer(self, job: Job) -> PreTrainedTokenizerBase:
        """The one that the run will have. Raises DataError, ModelError."""
        built_in = job.model.kind == "built_in"
        key = f"{job.model.model_dump_json()} {job.has_chats} {_of_text(job) if built_in else ''}"
        return self._keep("tokenizer", key, lambda: self._make_tokenizer(job))

    def max_length(self, job: Job) -> int:
        """Tokens at which the run will cut its examples."""
        from worker.models.loading import choose_max_length

        spec = BUILT_IN_MODELS.get(job.model.location) if job.model.kind == "built_in" else None
        return choose_max_length(job.config.max_length, spec.context if spec else None)

    def sample(self, job: Job) -> Sample:
        """The first examples of the run, in tokens. Raises DataError, ModelError."""
        max_length = self.max_length(job)
        tests = [*([job.validation] if job.validation else []), *job.evaluation.values()]
        test = " ".join(map(_of_file, tests))
        settings = f"{max_length} {job.config.skip_refused_rows} {job.config.seed if job.mixture else ''}"
        key = f"{job.model.model_dump_json()} {_of_text(job)} {test} {settings}"
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
        if job.has_chats and not tokenizer.chat_template:
            tokenizer.chat_template = plain_chat_template(tokenizer)
        return tokenizer

    def _make_sample(self, job: Job, max_length: int) -> Sample:
        from worker.data import evaluation_store, token_store

        tokenizer = self.tokenizer(job)
        corpus, length = self.corpus(job, _CHARACTERS_TOKENIZED), job.config.max_length
        if job.validation:
            test = Corpus.read(job.validation, 0, length, most_characters=_CHARACTERS_TOKENIZED)
            corpus = replace(corpus, test=test)
        with tempfile.TemporaryDirectory() as folder:
            skip, share = job.config.skip_refused_rows, job.validation_share
            token_store.ensure(Path(folder), corpus, share, tokenizer, max_length, silent, skip_refused=skip)
            mixture = mix(job, token_store.load_tokens(Path(folder)))
            known = evaluation_store.ensure(Path(folder), job, tokenizer, max_length, silent, _CHARACTERS_TOKENIZED)
            loaded = evaluation_store.load(Path(folder), job)
            mixed = zip(job.mixture, corpus.mixed, strict=True)
            tests = [(mixture.tests[name], part.share) for name, part in mixed if name in mixture.tests]
            tests += [(loaded[name], share) for name, share in known.items()]
            shares = corpus.share, (corpus.test or corpus).share
            return Sample(
                mixture.train.in_memory(),
                mixture.validation.in_memory(),
                *shares,
                max_length,
                len(tokenizer),
                tuple((examples.in_memory(), share) for examples, share in tests),
                tuple(_of_whole(mixture.taken, [part.share for part in (corpus, *corpus.mixed)])),
                exact=all(share == 1.0 for share in (*shares, *(part.share for part in corpus.mixed), *known.values())),
            )

    def _keep(self, kind: str, key: str, make: Callable[[], Made]) -> Made:
        kept = self._kept.setdefault(kind, OrderedDict())
        if key not in kept:
            kept[key] = make()
        kept.move_to_end(key)
        if len(kept) > _KEPT:
            kept.popitem(last=False)
        made: Made = kept[key]
        return made


def _of_whole(taken: Sequence[Taken], shares: Sequence[float]) -> Iterator[Taken]:
    """What is taken of whole files, told by what is taken of their beginnings, which are these ``shares`` of them."""
    for (tokens, passes), share in zip(taken, shares, strict=True):
        yield Taken(round(tokens / shares[0]), passes * share / shares[0])


def _of_text(job: Job) -> str:
    """All that a run's text and its split depend on."""
    config: RunConfig = job.config
    length = config.max_length if any(source.reading.kind == "document" for source in job.sources) else None
    mixed = [(_of_file(part.source), part.share) for part in job.mixture.values()]
    return f"{_of_file(job.dataset)} {mixed} {job.validation_share} {job.is_split_by_group} {length}"


def _of_file(source: DatasetSource) -> str:
    file = Path(source.path)
    changed = file.stat().st_mtime_ns if file.exists() else 0
    return f"{source.model_dump_json()} {changed}"
