"""TRL's DPOTrainer learns from the files that votes become."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.schemas.generation import NewVote, RatedAnswer, Turn, Vote
from backend.votes.preferences import lines_of

pytestmark = pytest.mark.slow


def a_vote(number: int, asked: NewVote) -> Vote:
    return Vote(**asked.model_dump(), id=str(number), time="")


@pytest.mark.parametrize("kind", ["texts", "chats"])
def test_dpo_learns_to_prefer_what_was_chosen(kind: str, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    from transformers import GPT2Config, GPT2LMHeadModel

    from worker.data.encoding import plain_chat_template
    from worker.data.tokenizer import train_tokenizer

    votes = []
    for number in range(8):
        asked = f"What is {number}+{number}?"
        form = {"prompt": asked} if kind == "texts" else {"messages": [Turn(role="user", content=asked)]}
        answers = {
            "chosen": RatedAnswer(model="a", text=f"It is {2 * number}."),
            "rejected": RatedAnswer(model="b", text="No idea!"),
        }
        votes.append(a_vote(number, NewVote.model_validate({**form, **answers})))
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(lines_of(votes)[kind]) + "\n", encoding="utf-8")
    rows = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))

    tokenizer = train_tokenizer([path.read_text(encoding="utf-8")], 300, 128)
    tokenizer.chat_template = plain_chat_template(tokenizer)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=1, n_head=2, bos_token_id=end, eos_token_id=end
    )
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "model")
    settings = trl.DPOConfig(
        output_dir=str(tmp_path / "out"), max_steps=12, learning_rate=1e-2, per_device_train_batch_size=8, logging_steps=1,
        report_to=[], use_cpu=True, save_strategy="no",
    )  # fmt: skip
    trainer = trl.DPOTrainer(model=str(tmp_path / "model"), args=settings, train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    accuracies = [each["rewards/accuracies"] for each in trainer.state.log_history if "rewards/accuracies" in each]
    assert accuracies[-1] == 1.0, accuracies
