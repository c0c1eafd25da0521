"""What is in the data that a run is about to learn from: in numbers for whoever judges it, and as warnings for a person."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from itertools import chain

from worker.contract import DataEvent, Job
from worker.data.corpus import Corpus, Examples

Parts = Sequence[tuple[Examples, Examples]]
"""As token_store.load_tokens gives them: of each dataset the examples to learn from, and those to test on."""

_SECONDS_FOR_COPIES = 1.0
_AT_ONCE = 1000  # examples between two looks at the clock


def data_event(train: Examples, validation: Examples, parts: Parts, seconds: float = _SECONDS_FOR_COPIES) -> DataEvent:
    """``train`` and ``validation`` are what the run learns from and is tested on, of which ``parts`` are the stores.

    Copies are counted among the examples as they are in tokens, cut to the run's length, as these are what is learned. Of
    what is mixed, each example is looked at once, however often an epoch takes it. They are not counted where that would
    take more than ``seconds``.
    """
    sides = [side for part in parts for side in part]
    duplicates, leaked = _copies(parts, time.monotonic() + seconds)
    return DataEvent(
        examples=len(train),
        validation_examples=len(validation),
        tokens=int((train.ends - train.starts).sum()),
        trained_tokens=int(train.trained.sum()),
        cut=sum(side.cut for side in sides),
        unlearned=sum(side.dropped for side in sides),
        duplicates=duplicates,
        leaked=leaked,
    )


def _copies(parts: Parts, deadline: float) -> tuple[int | None, int | None]:
    """How many examples to learn from are copies of earlier ones, and how many to test on are copies of such; None for what
    was not known by ``deadline``."""
    learned: set[bytes] = set()
    duplicates = leaked = 0
    for digests in chain.from_iterable(map(_digests, (train for train, _ in parts))):
        if time.monotonic() > deadline:
            return None, None
        before = len(learned)
        learned.update(digests)
        duplicates += len(digests) - (len(learned) - before)
    for digests in chain.from_iterable(map(_digests, (validation for _, validation in parts))):
        if time.monotonic() > deadline:
            return duplicates, None
        leaked += sum(digest in learned for digest in digests)
    return duplicates, leaked


def _digests(examples: Examples) -> Iterator[list[bytes]]:
    """A digest of each example's tokens, some at a time."""
    for start in range(0, len(examples), _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, len(examples)))
        yield [hashlib.blake2b(examples[number].tobytes(), digest_size=16).digest() for number in numbers]


def warnings(job: Job, corpus: Corpus, parts: Parts, left_out: Sequence[list[str]], max_length: int) -> Iterator[str]:
    """What of each dataset is not learned, of one that is mixed with the run's own under its name; and if a split was asked
    for and nothing is there to evaluate on."""
    for name, (train, validation), left in zip(("", *job.mixture), parts, left_out, strict=True):
        for text in (*_lost(train, validation, max_length), *left):
            yield f"{name}: {text}" if name else text
    yield from _without_validation(job, corpus, parts[0][1], max_length)


def _lost(train: Examples, validation: Examples, max_length: int) -> list[str]:
    found = []
    total = len(train) + len(validation) + train.dropped + validation.dropped
    if cut := train.cut + validation.cut:
        found.append(f"{cut} of {total} examples are longer than {max_length} tokens; what is beyond is not learned.")
    if dropped := train.dropped + validation.dropped:
        rows = sorted({*train.dropped_rows, *validation.dropped_rows})
        named = ", ".join(map(str, rows)) + (" and others" if len(rows) < dropped else "")
        what = "1 example was" if dropped == 1 else f"{dropped} examples were"
        found.append(
            f"{what} left out, as within {max_length} tokens there is nothing in them to learn:"
            f" {'row' if dropped == 1 else 'rows'} {named}."
        )
    return found


def _without_validation(job: Job, corpus: Corpus, validation: Examples, max_length: int) -> Iterator[str]:
    if not job.is_evaluated or len(validation):
        return
    kept, early = corpus.test_texts, job.config.early_stopping_patience
    why = (
        f"Of the {kept} examples to test on none has anything to learn within {max_length} tokens"
        if kept
        else "All examples are the same, so none is kept aside"
    )
    yield f"{why}: there will be no validation loss{', and no early stopping' if early else ''}."
