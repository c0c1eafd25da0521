"""A real pretrained model: SmolLM2 of 135 million weights, from a .gguf file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker import runs
from worker.contract import ModelSource
from worker.generation.sampling import Sampling, encode_prompt, stream
from worker.models.loading import load_model


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_gguf_is_fine_tuned_and_writes_english(smollm2_gguf: Path, dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(
        tmp_path / "run",
        dataset,
        ModelSource(kind="gguf", location=str(smollm2_gguf)),
        max_steps=2,
        batch_size=2,
        gradient_accumulation_steps=2,
        validation_split=0.05,
        max_length=64,
    )
    assert runs.start(run_dir).wait(timeout=1100) == 0, runs.log(run_dir)
    first, last = (runs.events(run_dir, "evaluation")[place].loss for place in (0, -1))
    assert last < first < 5  # a model that knows English begins far below the 10.8 of a random guess

    tuned = load_model(ModelSource(kind="folder", location=str(run_dir / "model")))
    prompt = "The capital of France is"
    pieces = stream(tuned, encode_prompt(tuned, prompt).ids, Sampling(max_new_tokens=12, temperature=0, top_p=1))
    assert "Paris" in "".join(piece.text for piece in pieces)
