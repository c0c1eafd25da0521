"""What is told before the first update: how far a large dataset is read, and what of it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.worker.data.test_encoding import CHATML, STRICT
from tests.worker.designs import save_small_gpt2
from worker.contract import DatasetSource, Job, ModelSource, Reading, RunConfig
from worker.data.split import find_split
from worker.errors import DataError
from worker.models.loading import load_model
from worker.process.control import StopSwitch
from worker.training import preparation


@pytest.mark.parametrize(
    ("elapsed", "bytes_read", "told"),
    [
        (6, 500, "50%, about 6 s left."),
        (10, 101, "10%, about 89 s left."),
        (10, 100, "10%, about 2 min left."),
        (600, 101, "10%, about 89 min left."),
        (600, 100, "10%, about 1.5 h left."),
        (4, 500, None),
    ],
)
def test_a_long_pass_says_how_far_it_is_and_how_long_it_will_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elapsed: float, bytes_read: int, told: str | None
) -> None:
    """A quick one is over before it would say anything."""
    path, now, said = tmp_path / "data.txt", [100.0], []
    path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(preparation.time, "monotonic", lambda: now[0])
    progress = preparation._Progress("Reading the text", path, said.append, StopSwitch(tmp_path))
    now[0] += elapsed
    progress(bytes_read)
    assert said == ([f"Reading the text: {told}"] if told else [])
    progress(1)  # fewer than before: another pass begins
    assert len(said) == bool(told)


def test_a_download_says_how_many_bytes_have_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], []
    monkeypatch.setattr(preparation.time, "monotonic", lambda: now[0])
    progress = preparation._Progress("Downloading gpt2", tmp_path / "none", said.append, StopSwitch(tmp_path))
    for done in (0, 137_000_000):
        now[0] += 10
        progress(done, 548_000_000)
    now[0] += 20
    progress(1_500_000_000, 4_000_000_000)
    assert said == [
        "Downloading gpt2: 0 MB of 548 MB.",
        "Downloading gpt2: 137 MB of 548 MB, about 60 s left.",
        "Downloading gpt2: 1.5 GB of 4.0 GB, about 67 s left.",
    ]


PAIRS = Reading(kind="completion", prompt="prompt", completion="completion")
LONG = "a very long question that goes on and on about nothing at all, and then on"


def prepared(tmp_path: Path, prompts: list[str], **config: Any) -> list[str]:
    """The warnings for a dataset with these prompts and short answers."""
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"prompt": prompt, "completion": "ok"}) + "\n" for prompt in prompts))
    job = Job(
        run_id="run",
        config=RunConfig(max_length=16, sample_prompts=[], **config),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path=str(data), format="jsonl", reading=PAIRS),
        device="cpu",
    )
    said: list[Any] = []
    preparation.prepare(job, tmp_path, said.append, StopSwitch(tmp_path))
    return [event.text for event in said if event.type == "message" and event.level == "warning"]


def test_answers_that_all_begin_too_late_are_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="All answers begin beyond the first 16 tokens") as caught:
        prepared(tmp_path, [f"{LONG} {number}" for number in range(20)])
    assert "Raise Max length" in caught.value.hint


def test_an_evaluation_that_is_left_without_examples_is_told(tmp_path: Path) -> None:
    def is_test(prompts: list[str]) -> list[bool]:
        keys = [json.dumps([prompt, "ok"]) for prompt in prompts]
        return list(find_split(lambda: [keys], 0.2).is_test(keys))

    prompts = [f"short {number}" for number in range(24)]
    prompts = [f"{LONG} {number}" if test else prompts[number] for number, test in enumerate(is_test(prompts))]
    while any(test != prompt.startswith(LONG) for test, prompt in zip(is_test(prompts), prompts, strict=True)):
        prompts = [
            prompt if test == prompt.startswith(LONG) else f"{prompt}!"
            for test, prompt in zip(is_test(prompts), prompts, strict=True)
        ]
    left = sum(prompt.startswith(LONG) for prompt in prompts)
    warnings = prepared(tmp_path, prompts, validation_split=0.2, early_stopping_patience=1)
    assert f"{left} of 24 examples are longer than 16 tokens; what is beyond is not learned." in warnings
    assert (
        f"Of the {left} examples to test on none has anything to learn within 16 tokens: there will be no validation loss,"
        " and no early stopping." in warnings
    )


def test_each_further_evaluation_dataset_has_the_loss_that_it_has_as_the_validation_dataset(tmp_path: Path) -> None:
    learned, prompts, lines = tmp_path / "learned.txt", tmp_path / "prompts.jsonl", tmp_path / "lines.txt"
    learned.write_text("".join(f"A line of text, number {number}.\n" for number in range(30)))
    prompts.write_text("".join(json.dumps({"prompt": f"Say {number}", "completion": "ok"}) + "\n" for number in range(7)))
    lines.write_text("".join(f"Other words, {number} of them.\n" for number in range(9)))
    sources = {
        "prompts": DatasetSource(path=str(prompts), format="jsonl", reading=PAIRS),
        "lines": DatasetSource(path=str(lines)),
    }

    def evaluated(folder: str, **parts: Any) -> list[Any]:
        """The evaluations of a run of two updates."""
        (tmp_path / folder).mkdir()
        job = Job(
            run_id="run",
            config=RunConfig(max_length=32, sample_prompts=[], max_steps=2, validation_split=0, precision="fp32"),
            model=ModelSource(kind="built_in", location="tiny"),
            dataset=DatasetSource(path=str(learned)),
            device="cpu",
            **parts,
        )
        said: list[Any] = []
        trainer, _ = preparation.prepare(job, tmp_path / folder, said.append, StopSwitch(tmp_path / folder))
        trainer.train()
        assert not (tmp_path / folder / "evaluation").exists(), "tokens are not kept once the run has completed"
        return [event for event in said if event.type == "evaluation"]

    together = evaluated("all", evaluation=sources)
    assert [event.step for event in together] == [0, 2]
    assert {event.loss for event in together} == {None}
    for name, source in sources.items():
        alone = evaluated(name, validation=source)
        assert [event.loss for event in alone] == pytest.approx([event.losses[name] for event in together], abs=1e-6)
        assert not alone[0].losses
    both = evaluated("both", validation=sources["lines"], evaluation={"prompts": sources["prompts"]})
    assert [event.best for event in both] == [True, True], "the best checkpoint follows the validation dataset"
    assert [list(event.losses) for event in both] == [["prompts"]] * 2


def test_a_validation_dataset_is_tested_on_whole_and_read_in_its_own_way(tmp_path: Path) -> None:
    learned, tested = tmp_path / "learned.txt", tmp_path / "tested.jsonl"
    learned.write_text("".join(f"A line of text, number {number}.\n" for number in range(30)))
    tested.write_text("".join(json.dumps({"prompt": f"Say {number}", "completion": "ok"}) + "\n" for number in range(7)))
    job = Job(
        run_id="run",
        config=RunConfig(max_length=32, sample_prompts=[], split_by_group=True),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path=str(learned)),
        validation=DatasetSource(path=str(tested), format="jsonl", reading=PAIRS),
        device="cpu",
    )
    said: list[Any] = []

    def setup() -> Any:
        return preparation.prepare(job, tmp_path, said.append, StopSwitch(tmp_path))[0].setup

    found = setup()
    assert (len(found.train), len(found.validation)) == (30, 7)
    assert "Read 37 examples: 30 to learn from, 7 to test on." in [event.text for event in said if event.type == "message"]
    assert found.train.targets is None
    assert (found.validation.trained > 0).all()
    assert (found.validation.trained < found.validation.lengths).all(), "of a prompt nothing is learned"
    made = (tmp_path / "tokens" / "about.json").stat().st_mtime_ns
    setup()
    assert (tmp_path / "tokens" / "about.json").stat().st_mtime_ns == made, "tokens that are there are used again"
    tested.write_text(tested.read_text() * 2)
    assert len(setup().validation) == 14, "those of another text are not"


def chats(tmp_path: Path, template: str, tokens: list[str], rows: list[list[tuple[str, str]]], **config: Any) -> Any:
    """The Trainer of a run over these conversations, by a small model with this chat template, and what was said."""
    texts, data = tmp_path / "texts.txt", tmp_path / "chats.jsonl"
    texts.write_text("What is it? It is four, my friend.\n" * 20)
    source = save_small_gpt2(tmp_path / "base", texts)
    tokenizer = AutoTokenizer.from_pretrained(source.location)
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    tokenizer.chat_template = template
    tokenizer.save_pretrained(source.location)
    model = AutoModelForCausalLM.from_pretrained(source.location)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(source.location)
    messages = [[{"role": role, "content": content} for role, content in row] for row in rows]
    data.write_text("".join(json.dumps({"messages": row}) + "\n" for row in messages))
    job = Job(
        run_id="run",
        config=RunConfig(max_length=32, sample_prompts=[], **config),
        model=source,
        dataset=DatasetSource(path=str(data), format="jsonl", reading=Reading(kind="chat", messages="messages")),
        device="cpu",
    )
    said: list[Any] = []
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    trainer, _ = preparation.prepare(job, run_dir, said.append, StopSwitch(run_dir))
    return trainer, [event.text for event in said if event.type == "message"]


MARKS = ["<|im_start|>", "<|im_end|>"]
GOOD = [("user", "What is it?"), ("assistant", "It is four.")]


def test_conversations_that_the_template_refuses_can_be_left_out_of_a_run(tmp_path: Path) -> None:
    rows = [GOOD] * 7 + [[("system", "Be brief."), *GOOD]] + [GOOD] * 2
    for name, skip in (("stops", False), ("leaves", True)):
        (tmp_path / name).mkdir()
        if not skip:
            with pytest.raises(DataError, match="Row 8 cannot be put into this model's chat format: No system messages"):
                chats(tmp_path / name, STRICT, MARKS, rows)
            continue
        trainer, said = chats(tmp_path / name, STRICT, MARKS, rows, skip_refused_rows=True)
        assert len(trainer.setup.train) + len(trainer.setup.validation) == 9
        assert any("row 8" in text for text in said), said


@pytest.mark.parametrize("method", ["full", "lora"])
def test_answers_end_where_a_turn_does_for_whoever_loads_the_model(tmp_path: Path, method: str) -> None:
    trainer, _ = chats(
        tmp_path, CHATML, MARKS, [GOOD] * 8, max_steps=1, save_steps=1, method=method, model_name="local:base"
    )
    tokenizer = trainer.setup.language_model.tokenizer
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.eos_token_id != end
    trainer.train()
    for folder in ("model", "checkpoints/step-000001", *(["adapter"] if method == "lora" else [])):
        saved = json.loads((trainer.setup.run_dir / folder / "generation_config.json").read_text())
        assert saved["eos_token_id"] == [tokenizer.eos_token_id, end]
        loaded = load_model(ModelSource(kind="folder", location=str(trainer.setup.run_dir / folder)))
        assert loaded.model.generation_config.eos_token_id == [tokenizer.eos_token_id, end]


def test_texts_end_where_they_did_in_training_for_whoever_loads_the_model(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("What is it? It is four, my friend.\n" * 20)
    source = save_small_gpt2(tmp_path / "base", texts)
    for name in ("config.json", "generation_config.json"):  # whose author has forgotten where texts end
        told = json.loads((tmp_path / "base" / name).read_text())
        (tmp_path / "base" / name).write_text(json.dumps({**told, "eos_token_id": None}))
    job = Job(
        run_id="run",
        config=RunConfig(max_length=32, sample_prompts=[]),
        model=source,
        dataset=DatasetSource(path=str(texts)),
        device="cpu",
    )
    trainer, _ = preparation.prepare(job, tmp_path, lambda event: None, StopSwitch(tmp_path))
    model = trainer.setup.language_model
    assert model.model.generation_config.eos_token_id == model.tokenizer.eos_token_id
