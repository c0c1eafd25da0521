"""A model as a .gguf file with its Modelfile, and the untouched base that a run began with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from worker.contract import Job, ModelSource
from worker.export import gguf_file, ollama
from worker.export.gguf_check import faults_of_file
from worker.export.gguf_layout import GgufLayout, layout_of
from worker.export.gguf_rounding import FileRounding
from worker.export.gguf_vocabulary import Vocabulary, vocabulary_of
from worker.export.proof import Expected, expected_of
from worker.export.tried_texts import Tried, chats_of
from worker.models.loading import LanguageModel, load_model


class Made(NamedTuple):
    """What a file was made of."""

    model: Any
    layout: GgufLayout
    vocabulary: Vocabulary

    def faults(self, file: Path) -> list[str]:
        """What is wrong in ``file``, a sentence each."""
        try:
            return list(faults_of_file(file, self.model, self.layout, self.vocabulary))
        except ValueError as error:  # of numpy, for a file that ends too soon
            return [f"The file cannot be read to its end: {error}."]

    @property
    def notes(self) -> list[str]:
        """In what programs that read the file are known to differ."""
        pieces = self.vocabulary.pieces
        return [note for note in (self.layout.note, pieces and pieces.note) if note]

    def expected(self, language_model: LanguageModel, tried: Tried, number_format: str) -> Expected:
        """What the file has to answer. The model's weights are rounded for good in the course of it."""
        pieces = self.vocabulary.pieces
        tried = tried._replace(texts=[*tried.texts, *(pieces.probes if pieces else [])])
        shown = replace(language_model, context=self.layout.context)
        return expected_of(shown, tried, FileRounding(self.layout, number_format), pieces and pieces.reads)


def export_gguf(
    language_model: LanguageModel, job: Job, number_format: str, file: Path, progress: Callable[[float], None]
) -> Made:
    """Writes ``file``. Raises OSError, and ModelError for a model that llama.cpp would not compute alike."""
    model: Any = language_model.model
    tokenizer = language_model.tokenizer
    chats = [chat for chat in chats_of(tokenizer) if chat]
    size = model.get_input_embeddings().num_embeddings
    made = Made(model, layout_of(model), vocabulary_of(tokenizer, size, _ends(model), chats))
    name = job.config.name or job.run_id
    gguf_file.write_gguf(file, name, *made, number_format, progress)
    return made


def _ends(model: Any) -> list[int]:
    """The tokens at which the model stops writing."""
    ends = model.generation_config.eos_token_id
    return [ends] if isinstance(ends, int) else list(ends or [])


def write_modelfile(language_model: LanguageModel, made: Made, file: Path) -> list[str]:
    """Writes ``Modelfile`` beside ``file``; what there is to say of it. Raises OSError."""
    text, told = ollama.modelfile(file.name, language_model.tokenizer, adds_bos=made.vocabulary.adds_bos)
    (file.parent / "Modelfile").write_text(text, encoding="utf-8")
    return [told] if told else []


def base_of_run(job: Job) -> ModelSource | None:
    """The model that the run began with, if it brought its weights and is still there."""
    if job.config.from_scratch or job.model.kind == "built_in":
        return None
    return job.model if job.model.kind == "hub" or Path(job.model.location).exists() else None


def load_base(source: ModelSource) -> LanguageModel:
    """In evaluation mode. Raises ModelError."""
    loaded = load_model(source)
    loaded.model.eval()
    return loaded
