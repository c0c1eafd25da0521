"""Every design of model that is accepted trains, saves, goes on and answers, as a plain loop over transformers' model."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import AutoModelForCausalLM

from tests.worker import architectures
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.data.batching import shuffled_windows
from worker.generation.sampling import Sampling, stream
from worker.models.loading import load_model
from worker.process.control import StopSwitch
from worker.training.preparation import prepare
from worker.training.trainer import Trainer

UPDATES, BATCH, ACCUMULATION, RATE, DECAY, CLIP = 4, 3, 2, 1e-3, 0.1, 1.0
SAVED = 2  # after this update


class Cut(BaseException):
    """Ends a run as abruptly as a process can be ended from within."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models so small gain nothing from more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def texts(fragments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few short texts."""
    path = tmp_path_factory.mktemp("data") / "few.txt"
    path.write_text("\n".join(fragments.read_text().splitlines()[:40]))
    return path


QUICK = {
    ("gpt_neo", "full", True), ("openai-gpt", "lora", False), ("falcon", "lora", True), ("llama4_text", "lora", True),
    ("gemma2", "full", True), ("qwen3_moe", "lora", True), ("deepseek_v3", "lora", False), ("mamba2", "lora", True),
    ("rwkv", "full", False),
}  # fmt: skip
"""One of each kind, for `make test`; all others are slow."""
ANSWER = {"gpt2", "openai-gpt", "mamba", "rwkv", "recurrent_gemma"}
ALL = [
    pytest.param(*case, id="-".join((*case[:2], layout)), marks=() if case in QUICK else pytest.mark.slow)
    for name in architectures.TRAINED
    for method in ("full", "lora")
    for layout in ("packed", "in_order")
    for case in [(name, method, layout == "packed")]
]


@pytest.mark.parametrize(("name", "method", "packing"), ALL)
def test_it_learns_saves_goes_on_and_answers(name: str, method: str, packing: bool, texts: Path, tmp_path: Path) -> None:
    source = architectures.save(name, tmp_path / "base", texts)
    settings = {"method": method, "packing": packing}
    trainer, events = start(source, texts, tmp_path / "run", **settings)
    expected = plain_losses(source, trainer, method)
    assert trainer.train().phase == "completed"
    steps = [event for event in events if event.type == "step"]
    assert [step.loss for step in steps] == pytest.approx(expected, abs=1e-5)
    assert [event.text for event in events if event.type == "sample"]

    saved = plain(ModelSource(kind="folder", location=str(tmp_path / "run/model")))
    rounding = 1e-5 if method == "full" else 1e-4  # of merging
    assert (logits(saved) - logits(trainer.model)).abs().max() <= rounding * logits(saved).abs().max()
    if method == "lora":
        adapted = peft.PeftModel.from_pretrained(plain(source), tmp_path / "run/adapter")
        assert (logits(adapted) - logits(trainer.model)).abs().max() <= rounding * logits(saved).abs().max()

    with contextlib.suppress(Cut):
        start(source, texts, tmp_path / "cut", cut_at=SAVED + 1, **settings)[0].train()
    again, rest = start(source, texts, tmp_path / "cut", going_on=True, **settings)
    assert "bit for bit." in next(event.text for event in rest if "Going on" in getattr(event, "text", ""))
    again.train()
    assert numbers(rest) == numbers(events)[SAVED:]
    own = trainer.model.state_dict()
    assert all(torch.equal(weight, own[key]) for key, weight in again.model.state_dict().items())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ANSWER else pytest.mark.slow) for name in architectures.TRAINED]
)
def test_it_answers_with_what_is_likeliest_after_the_whole_text(name: str, texts: Path, tmp_path: Path) -> None:
    source = architectures.save(name, tmp_path / "base", texts)
    prompt = [5, 17, 200, 8, 99, 31, 250, 7, 45, 60, 11, 12]  # longer than the windows are
    model = plain(source).eval()
    with torch.no_grad():
        text = torch.tensor([prompt])
        for _ in range(8):
            text = torch.cat((text, model(input_ids=text, use_cache=False).logits[:, -1:].argmax(-1)), dim=1)
    loaded = load_model(source)
    for _ in range(2):  # nothing is left of the first answer
        pieces = list(stream(loaded, prompt, Sampling(max_new_tokens=8, temperature=0)))
        assert [piece.id for piece in pieces] == text[0, len(prompt) :].tolist()


def start(
    source: ModelSource, texts: Path, run_dir: Path, *, cut_at: int = 0, going_on: bool = False, **settings: Any
) -> tuple[Trainer, list[Any]]:
    """A run's Trainer, and the list that its events go to; the run is cut at update ``cut_at``."""
    run_dir.mkdir(exist_ok=True)
    config = RunConfig(
        model_name="local:base",
        max_steps=UPDATES,
        save_steps=SAVED,
        eval_steps=UPDATES,
        batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATION,
        learning_rate=RATE,
        weight_decay=DECAY,
        max_grad_norm=CLIP,
        lr_scheduler="constant",
        warmup_ratio=0.0,
        max_length=24,
        sample_prompts=["Once"],
        precision="fp32",
        **settings,
    )
    job = Job(run_id="run", config=config, model=source, dataset=DatasetSource(path=str(texts)), device="cpu")
    events: list[Any] = []

    def report(event: Any) -> None:
        events.append(event)
        if event.type == "step" and event.step == cut_at:
            raise Cut

    trainer, _ = prepare(job, run_dir, report, StopSwitch(run_dir), going_on=going_on)
    return trainer, events


def plain(source: ModelSource) -> Any:
    """transformers' own model of what is in a folder, with attention as the design is written down."""
    model = AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32, attn_implementation="eager")
    model.config.rescale_every = (
        0  # RWKV halves weights to evaluate, which it calculates with and an adapter knows nothing of
    )
    return model


def plain_losses(source: ModelSource, trainer: Trainer, method: str) -> list[float]:
    """The losses of a loop over transformers' own model, each text alone, from where ``trainer`` begins."""
    model = plain(source).train()
    if method == "lora":
        add_adapters_of(trainer.model, model)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    decayed = [weight for weight in weights if weight.ndim >= 2]
    others = [weight for weight in weights if weight.ndim < 2]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    examples, losses = trainer.setup.train, []
    for window in islice(shuffled_windows(len(examples), BATCH * ACCUMULATION, trainer.config.seed), UPDATES):
        ids = [torch.tensor(examples[number], dtype=torch.long) for number in window]
        each = [
            F.cross_entropy(model(text[None, :-1], use_cache=False).logits[0], text[1:], reduction="sum") for text in ids
        ]
        loss = torch.stack(each).sum() / sum(len(text) - 1 for text in ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def add_adapters_of(trained: Any, model: Any) -> None:
    """Gives the plain ``model`` adapters where ``trained`` has them, with the same numbers, as peft itself adds them."""
    peft.inject_adapter_in_model(copy.deepcopy(trained.peft_config["default"]), model)
    beginning = dict(trained.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.copy_(beginning[name])


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    """On a few random texts."""
    ids = torch.randint(300, (3, 20), generator=torch.Generator().manual_seed(3))
    found: torch.Tensor = model.eval()(input_ids=ids, use_cache=False).logits
    return found


def numbers(events: list[Any]) -> list[tuple[Any, ...]]:
    """What each update told, but for the time it took."""
    return [(event.step, event.loss, event.grad_norm, event.tokens) for event in events if event.type == "step"]
