"""What an export says of itself: the run's card, and what became of it elsewhere."""

from __future__ import annotations

from pathlib import Path

from worker.contract import ExportOrder, Job, Proof

_OPEN = {
    "safetensors": "`AutoModelForCausalLM.from_pretrained(folder)` and `AutoTokenizer.from_pretrained(folder)` open it.",
    "adapter": "`AutoPeftModelForCausalLM.from_pretrained(folder)` opens it, with its base.",
    "gguf": "llama.cpp and what is built on it open the file; `ollama create NAME -f Modelfile` takes it into Ollama.",
}


def write_readme(folder: Path, card: Path, job: Job, order: ExportOrder, proof: Proof) -> None:
    """README.md in ``folder``: the ``card`` of the model, if there is one, and the proof. Raises OSError."""
    own = card.read_text(encoding="utf-8").rstrip() if card.is_file() else f"# {job.config.name or job.run_id}"
    if order.checkpoint:
        own += f"\n\nThis is its checkpoint `{order.checkpoint}`."
    text = "\n".join([own, "", "## Export", "", _OPEN[order.format], "", *_proof_lines(proof), ""])
    (folder / "README.md").write_text(text, encoding="utf-8")


def _proof_lines(proof: Proof) -> list[str]:
    if proof.passed is None:
        return [f"Not proven: {' '.join(proof.problems)}"]
    lines = [
        f"{'Proven' if proof.passed else 'Not proven'}: opened by {proof.engine} and compared with the model that was"
        f" trained, over {proof.tokens} tokens of {proof.texts}.",
        "",
    ]
    if proof.kl is not None and proof.limit is not None and proof.same_choice is not None:
        lines += [
            f"- KL divergence: {proof.kl:.2g} nats per token; up to {proof.limit:.2g} can come from rounding",
            f"- Same most likely token: {proof.same_choice:.1%}",
        ]
    return [*lines, *(f"- {problem}" for problem in (*proof.problems, *proof.notes))]
