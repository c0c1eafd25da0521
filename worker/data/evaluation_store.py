"""Further datasets to evaluate on: their tokens, each set in a store of its own, kept until the run has completed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from worker.contract import EVALUATION_DIR, Job
from worker.data import token_store
from worker.data.corpus import Corpus, Examples
from worker.data.formats.text import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def ensure(
    run_dir: Path,
    job: Job,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    progress: Progress,
    most_characters: int | None = None,
) -> dict[str, float]:
    """Makes those that an earlier worker of this run did not leave, of all of a file or its first ``most_characters``. The
    share of each file that is in them, by name. Raises DataError if one cannot be read or the disk fails."""
    shares = {}
    for number, (name, source) in enumerate(job.evaluation.items()):
        corpus = Corpus.read(source, 0, job.config.max_length, progress, most_characters)
        folder = run_dir / EVALUATION_DIR / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        skip = job.config.skip_refused_rows
        token_store.ensure(folder, corpus, 0.0, tokenizer, max_length, progress, skip_refused=skip)
        shares[name] = corpus.share
    return shares


def load(run_dir: Path, job: Job) -> dict[str, Examples]:
    """The examples of each set, by name, in the order they were asked for."""
    folder = run_dir / EVALUATION_DIR
    return {name: token_store.load_tokens(folder / str(number))[0][0] for number, name in enumerate(job.evaluation)}


def discard(run_dir: Path) -> None:
    """Deletes RUN_DIR/evaluation, if it is there."""
    shutil.rmtree(run_dir / EVALUATION_DIR, ignore_errors=True)
