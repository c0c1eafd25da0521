"""A step under the microscope is the one that plain PyTorch makes with transformers' own model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.worker import architectures
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.datasets.cache import Samples
from worker.errors import DeviceError, UnsupportedError
from worker.microscope.chosen_row import choose_row
from worker.microscope.question import Question
from worker.microscope.step import make_step
from worker.microscope.subject import load_subject, make_ready, require_room_for_step

RATE, DECAY, CLIP = 3e-3, 0.1, 0.5
TEXT = "Once upon a time the little fox went to the river."
SHAPES = ("gpt2", "llama", "qwen3")
CLOSE = 1e-5


def job_of(model: ModelSource, dataset: Path, **config: Any) -> Job:
    settings = {"model_name": "local:model", "learning_rate": RATE, "weight_decay": DECAY, "max_grad_norm": CLIP, **config}
    return Job(
        run_id="run", config=RunConfig(**settings), model=model, dataset=DatasetSource(path=str(dataset)), device="cpu"
    )


def looked_at(question: Question, said: list[str] | None = None) -> dict[str, Any]:
    samples = Samples()
    model = load_subject(question, samples)
    chosen = choose_row(question.job, model, samples, question.row, question.text)
    return make_step(question, model, chosen, make_ready(question, model.model), (said or []).append)


def part_of(name: str) -> str:
    """By the names that transformers gives."""
    if block := re.search(r"\.(?:h|layers)\.(\d+)\.", name):
        return f"block {block[1]}"
    return (
        "embeddings" if re.search(r"wte|wpe|embed_tokens", name) else "norm" if re.search(r"ln_f|\.norm\.", name) else "head"
    )


class Plain:
    """One step with nothing of ours in it. ``learned``: which tokens count."""

    def __init__(self, model: Any, ids: torch.Tensor, learned: torch.Tensor | None = None) -> None:
        self.model, self.ids = model.eval(), ids
        named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        counted = torch.ones(len(ids) - 1, dtype=torch.bool) if learned is None else learned[1:]
        embedded = model.get_input_embeddings()(ids[None]).detach().requires_grad_(True)
        out = model(inputs_embeds=embedded, output_attentions=True)
        self.logprobs, self.attentions = out.logits[0, :-1].log_softmax(-1).detach(), out.attentions
        self._nats(out.logits)[counted].mean().backward()
        self.gradients = embedded.grad[0, :-1].norm(dim=-1)
        model.zero_grad()
        out = model(input_ids=ids[None])
        self.nats = self._nats(out.logits).detach()
        self.loss = self._nats(out.logits)[counted].mean()
        self.loss.backward()
        self.norms = by_part({name: weight.grad for name, weight in named.items()})
        before = {name: weight.detach().clone() for name, weight in named.items()}
        self.norm = float(torch.nn.utils.clip_grad_norm_(named.values(), CLIP))
        self.clipped = float(torch.cat([weight.grad.flatten() for weight in named.values()]).norm())
        groups = [
            {"params": [weight for weight in named.values() if weight.ndim >= 2], "weight_decay": DECAY},
            {"params": [weight for weight in named.values() if weight.ndim < 2], "weight_decay": 0.0},
        ]
        torch.optim.AdamW(groups, lr=RATE).step()
        changes = by_part({name: weight.detach() - before[name] for name, weight in named.items()})
        self.ratios = {part: change / by_part(before)[part] for part, change in changes.items()}
        with torch.no_grad():
            self.nats_after = self._nats(model(input_ids=ids[None]).logits)
        self.loss_after = self.nats_after[counted].mean()

    def _nats(self, logits: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits[0, :-1], self.ids[1:], reduction="none")


def by_part(tensors: dict[str, torch.Tensor]) -> dict[str, float]:
    parts: dict[str, list[torch.Tensor]] = {}
    for name, tensor in tensors.items():
        parts.setdefault(part_of(name), []).append(tensor.flatten())
    return {part: float(torch.cat(found).norm()) for part, found in parts.items()}


def agrees(step: dict[str, Any], plain: Plain) -> None:
    """All numbers of ``step`` against plain PyTorch's."""
    tokens = step["tokens"]
    close = {"abs": CLOSE, "rel": CLOSE}
    assert [token["id"] for token in tokens] == plain.ids.tolist()
    assert (tokens[0]["nats"], tokens[0]["top"], tokens[-1]["gradient"]) == (None, [], None)
    for field, expected in (
        ("nats", plain.nats),
        ("probability", (-plain.nats).exp()),
        ("entropy", -(plain.logprobs.exp() * plain.logprobs).sum(-1)),
        ("nats_after", plain.nats_after),
        ("probability_after", (-plain.nats_after).exp()),
    ):
        assert [token[field] for token in tokens[1:]] == pytest.approx(expected.tolist(), **close), field
    assert [token["gradient"] for token in tokens[:-1]] == pytest.approx(plain.gradients.tolist(), **close)
    targets = plain.logprobs.gather(1, plain.ids[1:, None])
    assert [token["rank"] for token in tokens[1:]] == ((plain.logprobs > targets).sum(-1) + 1).tolist()
    best = plain.logprobs.topk(3)
    assert [[guess["id"] for guess in token["top"]] for token in tokens[1:]] == best.indices.tolist()
    shares = [guess["probability"] for token in tokens[1:] for guess in token["top"]]
    assert shares == pytest.approx(best.values.exp().flatten().tolist(), **close)
    assert step["loss"] == pytest.approx(float(plain.loss.detach()), **close)
    assert step["loss_after"] == pytest.approx(float(plain.loss_after), **close)
    assert [part["name"] for part in step["parts"]] == list(plain.norms)
    assert {part["name"]: part["grad_norm"] for part in step["parts"]} == pytest.approx(plain.norms, **close)
    assert {part["name"]: part["update_ratio"] for part in step["parts"]} == pytest.approx(plain.ratios, rel=1e-4, abs=1e-6)
    assert (step["grad_norm"], step["grad_norm_clipped"]) == pytest.approx((plain.norm, plain.clipped), **close)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_number_is_plain_pytorchs(shape: str, fragments: Path, tmp_path: Path) -> None:
    source = architectures.save(shape, tmp_path / "model", fragments)
    question = Question(job=job_of(source, fragments), model=source, text=TEXT, layer=1, head=2, top=3)
    step = looked_at(question)

    tokenizer = AutoTokenizer.from_pretrained(source.location)
    ids = torch.tensor([*tokenizer(TEXT)["input_ids"], tokenizer.eos_token_id])
    model = AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32, attn_implementation="eager")
    plain = Plain(model, ids)
    agrees(step, plain)
    assert plain.norm > CLIP, "nothing was clipped"
    assert step["loss_after"] < step["loss"] - 0.01
    assert all(token["learned"] for token in step["tokens"][1:])
    assert (step["optimizer"], step["optimizer_state"], step["learning_rate"]) == ("adamw", "fresh", RATE)
    assert "".join(token["text"] for token in step["tokens"]).startswith(TEXT)


@pytest.mark.parametrize("shape", SHAPES)
def test_attention_is_what_transformers_puts_out(shape: str, fragments: Path, tmp_path: Path) -> None:
    source = architectures.save(shape, tmp_path / "model", fragments)
    model = AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32, attn_implementation="eager").eval()
    samples, job = Samples(), job_of(source, fragments)
    subject = load_subject(Question(job=job, model=source, text=TEXT), samples)
    chosen = choose_row(job, subject, samples, None, TEXT)
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([chosen.ids[:-1]]), output_attentions=True).attentions
    seen = set()
    for layer in range(2):
        for head in range(4):
            question = Question(job=job, model=source, text=TEXT, layer=layer, head=head)
            step = make_step(question, subject, chosen, make_ready(question, subject.model), lambda _: None)
            attention = step["attention"]
            assert {name: attention[name] for name in ("layers", "heads", "layer", "head")} == {
                "layers": 2, "heads": 4, "layer": layer, "head": head
            }  # fmt: skip
            for place, row in enumerate(attention["weights"]):
                assert row == pytest.approx(expected[layer][0, head, place, : place + 1].tolist(), abs=CLOSE)
                assert sum(row) == pytest.approx(1, abs=1e-4)
            seen.add(tuple(attention["weights"][-1]))
    assert len(seen) == 8, "heads were taken for each other"


def test_an_adapter_is_trained_beside_its_base_as_peft_has_it(fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("llama", tmp_path / "base", fragments)
    base = AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", lora_dropout=0.1))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    adapted.save_pretrained(tmp_path / "adapter")
    AutoTokenizer.from_pretrained(source.location).save_pretrained(tmp_path / "adapter")
    folder = ModelSource(kind="folder", location=str(tmp_path / "adapter"))
    step = looked_at(Question(job=job_of(source, fragments, method="lora"), model=folder, text=TEXT, top=3))

    base = AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32, attn_implementation="eager")
    model = peft.PeftModel.from_pretrained(base, folder.location, is_trainable=True)
    agrees(step, Plain(model, torch.tensor([token["id"] for token in step["tokens"]])))
    assert [part["name"] for part in step["parts"]] == ["block 0", "block 1"]


def test_the_model_is_left_as_it_was(fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("gpt2", tmp_path / "model", fragments)
    samples, question = Samples(), Question(job=job_of(source, fragments), model=source, text=TEXT)
    subject = load_subject(question, samples)
    before = {name: weight.clone() for name, weight in subject.model.state_dict().items()}
    chosen = choose_row(question.job, subject, samples, None, TEXT)
    first, second = (make_step(question, subject, chosen, make_ready(question, subject.model), print) for _ in range(2))
    assert first == second
    assert all(torch.equal(weight, before[name]) for name, weight in subject.model.state_dict().items())
    assert all(weight.grad is None for weight in subject.model.parameters())


def test_only_what_is_learned_counts(tmp_path: Path, fragments: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"q": "What is the fox?", "a": "A little one."}\n{"q": "Who saw the owl?", "a": "The fox did."}\n')
    source = architectures.save("gpt2", tmp_path / "model", fragments)
    job = job_of(source, pairs)
    reading = {"kind": "completion", "prompt": "q", "completion": "a"}
    job.dataset = DatasetSource.model_validate({"path": str(pairs), "format": "jsonl", "reading": reading})
    step = looked_at(Question(job=job, model=source, row=2, top=3))
    learned = [token["learned"] for token in step["tokens"]]
    assert "".join(token["text"] for token in step["tokens"] if token["learned"]).strip().startswith("The fox did.")
    assert not any(learned[:3])
    model = AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32, attn_implementation="eager")
    agrees(step, Plain(model, torch.tensor([token["id"] for token in step["tokens"]]), torch.tensor(learned)))


def test_a_state_space_has_no_attention(fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("mamba", tmp_path / "model", fragments)
    step = looked_at(Question(job=job_of(source, fragments), model=source, text=TEXT, layer=3))
    assert step["attention"] is None
    assert step["loss_after"] < step["loss"]
    assert [part["name"] for part in step["parts"]][:3] == ["embeddings", "block 0", "block 1"]


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ({"text": TEXT, "layer": 2}, "layer", "There is no layer 2: the model has 2 layers"),
        ({"text": TEXT, "head": 4}, "head", "There is no head 4: the layer has 4 heads"),
        ({"text": "  \n"}, "text", "too short"),
        ({"row": 100_000}, "dataset_row", "no row 100000"),
    ],
)
def test_what_is_not_there_is_said(wanted: dict[str, Any], field: str, said: str, fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("gpt2", tmp_path / "model", fragments)
    with pytest.raises(UnsupportedError, match=said) as error:
        looked_at(Question(job=job_of(source, fragments), model=source, **wanted))
    assert error.value.field == field


def test_a_long_row_is_cut_in_sight(fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("gpt2", tmp_path / "model", fragments)
    step = looked_at(Question(job=job_of(source, fragments, max_length=16), model=source, text=TEXT * 10))
    assert (len(step["tokens"]), step["most_tokens"]) == (16, 16)
    tokenizer = AutoTokenizer.from_pretrained(source.location)
    assert step["cut"] == len(tokenizer(TEXT * 10)["input_ids"]) + 1 - 16


def test_what_does_not_fit_is_refused_in_words(fragments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = architectures.save("gpt2", tmp_path / "model", fragments)
    question = Question(job=job_of(source, fragments), model=source, text=TEXT)
    subject = load_subject(question, Samples())
    monkeypatch.setattr("worker.microscope.subject.psutil.virtual_memory", lambda: type("Free", (), {"available": 100_000}))
    with pytest.raises(
        DeviceError, match=r"One training step of this model takes about .* GB of memory, and 0\.0 GB are free"
    ):
        require_room_for_step(subject.model, 20)
    with pytest.raises(DeviceError, match="Reading this model takes about"):
        load_subject(question, Samples())
