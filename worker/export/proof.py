"""Whether an export answers as what was trained: an independent program opens it in a fresh process, and both are compared.

The measure is the mean KL divergence of what may come next, over the tokens of held-out texts: KL(here ‖ there), in nats.
Its noise floor is what rounding alone makes of it, computed here with numbers rounded as the format rounds them, and the KL
of the untouched base, exported in the same way. The base is believed only as far as rounding explains it too: a converter
that gets a design wrong would get the base as wrong as the model. A model from scratch has no such base, as random weights
say next to nothing, so rounding alone decides.

In few bits that noise would hide a fault as large. So the answers are also compared with our model rounded in the same way:
only what rounding a layer's inputs makes may lie between them, as programs round these each in their own order.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from worker.contract import Proof
from worker.errors import ModelError
from worker.export.divergence import Rounding, divergence, divergence_of, log_probabilities, rounded_log_probabilities
from worker.export.tried_texts import Tried, chats_of, conversations, puts_bos
from worker.models.loading import LanguageModel

_TIMES_THE_NOISE = 3.0
_ARITHMETIC = 1e-5
"""Nats a token by which two programs differ that round alike: they add up in another order. Of SmolLM2's 30 layers, in fp16,
it is 9e-6."""
_MOST_FAULTS = 8
INSTALL = "pip install 'trainboard[export]'"


class Expected(NamedTuple):
    """What the export has to answer, worked out here alone. ``begins``: what is put before each text, which the other
    program may leave out of ``chats``. ``noise`` is the KL from rounding alone, and ``inputs_noise`` that part of it which
    comes from rounding what goes into layers; ``rounded`` is what the model says with all its roundings."""

    tried: Tried
    tokens: list[list[int]]
    tokens_with_special: list[list[int]]
    chats: list[str | None]
    begins: str
    eos: str
    chat_template: str | None
    context: int | None
    vocabulary: int
    log_probabilities: torch.Tensor
    noise: float
    rounded: torch.Tensor
    inputs_noise: float


class Answers(NamedTuple):
    """What the other program answered; see ``llama_cpp.py``. ``failure`` says why it did not."""

    told: dict[str, Any]
    ids: np.ndarray[Any, Any]
    logprobs: np.ndarray[Any, Any]
    failure: str | None = None


def expected_of(language_model: LanguageModel, tried: Tried, rounding: Rounding, reads: Any = None) -> Expected:
    """The model's weights are rounded for good in the course of it. ``reads``: a tokenizer that reads texts as the other
    program is known to, where that is not the model's own."""
    model, tokenizer = language_model.model.eval(), language_model.tokenizer
    reads = reads or tokenizer
    exact = log_probabilities(model, tried.rows)
    with_weights, rounded = rounded_log_probabilities(model, tried.rows, rounding)
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None
    return Expected(
        tried=tried,
        tokens=[reads(text, split_special_tokens=True)["input_ids"] for text in tried.texts],
        tokens_with_special=[reads(text)["input_ids"] for text in tried.texts],
        chats=chats_of(tokenizer),
        begins=str(tokenizer.bos_token or "") if puts_bos(tokenizer) else "",
        eos=str(tokenizer.eos_token or ""),
        chat_template=template,
        context=language_model.context,
        vocabulary=int(model.get_input_embeddings().num_embeddings),
        log_probabilities=exact,
        noise=divergence_of(exact, rounded),
        rounded=rounded,
        inputs_noise=divergence_of(with_weights, rounded),
    )


def ask_program(
    module: str, arguments: Sequence[str], expected: Expected, place: Path, progress: Callable[[str], None]
) -> Answers:
    """Has ``python -m worker.export.MODULE`` answer, in a fresh process. ``arguments`` come before that of the folder that
    they share, which is in ``place`` meanwhile: whoever ends us removes that."""
    with tempfile.TemporaryDirectory(prefix=".proof-", dir=place) as name:
        folder = Path(name)
        asked = {"texts": expected.tried.texts, "rows": expected.tried.rows, "chats": conversations(expected.chat_template)}
        (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        last = _run(module, [*arguments, name], progress)
        if last is None:
            told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
            return Answers(told, np.load(folder / "ids.npy"), np.load(folder / "logprobs.npy"))
        failure = folder / "failure"
        return Answers({}, np.zeros(0), np.zeros(0), failure.read_text(encoding="utf-8") if failure.exists() else last)


def _run(module: str, arguments: Sequence[str], progress: Callable[[str], None]) -> str | None:
    """Runs it to its end, or ends it where ``progress`` raises. None, or the last error that it logged if it failed."""
    command = [sys.executable, "-m", f"worker.export.{module}", *arguments]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout
            for line in process.stdout:
                progress(line.strip())
            if process.wait() == 0:
                return None
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        last = "".join(deque((line for line in log if "rror" in line), 1)).strip()
        return last or f"it ended with status {process.returncode}."


def base_noise(expected: Expected, answers: Answers) -> tuple[float | None, str | None]:
    """The KL of the base exported alike, or None and why it is not to be believed."""
    if answers.failure:
        return None, f"The base, exported in the same way, could not be opened: {answers.failure}"
    kl = divergence(expected.log_probabilities, answers.ids, answers.logprobs)
    if not kl <= _limit(expected.noise, None):
        return None, (
            f"The base, exported in the same way, is off by {kl:.3g} nats per token, where rounding makes"
            f" {expected.noise:.3g}: this kind of model is not converted rightly."
        )
    return kl, None


def judge(
    expected: Expected, answers: Answers, faults: Sequence[str], base_kl: float | None, base_fault: str | None, engine: str
) -> Proof:
    """Pass or fail. ``faults``: what a look into the files has shown."""
    problems, limit = _few(faults), _limit(expected.noise, base_kl)
    known: dict[str, Any] = {
        "engine": engine, "noise": expected.noise, "base_kl": base_kl, "limit": limit, "texts": expected.tried.told,
        "tokens": len(expected.log_probabilities),
    }  # fmt: skip
    if base_fault:
        problems.append(base_fault)
    if answers.failure:
        return Proof(passed=False, problems=[*problems, f"{engine} cannot use it: {answers.failure}"], **known)
    problems += _readings(expected, answers.told)
    if answers.ids.max() >= expected.vocabulary:
        problems.append("It knows tokens that the model does not know.")
        return Proof(passed=False, problems=problems, **known)
    kl = divergence(expected.log_probabilities, answers.ids, answers.logprobs)
    same = float((expected.log_probabilities.argmax(-1).numpy() == answers.ids[:, 0]).mean())
    if not math.isfinite(kl):
        problems.append("It computes numbers that are infinite or no numbers.")
        return Proof(passed=False, problems=problems, **known)
    if kl > limit:
        problems.append(
            f"What it expects to come next differs by {kl:.3g} nats per token; at most {limit:.3g} can come from rounding."
        )
    apart = divergence(expected.rounded, answers.ids, answers.logprobs)
    if apart > (limit := _limit(expected.inputs_noise, None)):
        problems.append(
            f"It differs by {apart:.3g} nats per token from the model rounded in the same way; at most {limit:.3g} can come"
            " from how it computes."
        )
    return Proof(passed=not problems, kl=kl, same_choice=same, problems=problems, **known)


def _few(faults: Sequence[str]) -> list[str]:
    """The first of many."""
    more = len(faults) - _MOST_FAULTS
    return [*faults[:_MOST_FAULTS], *([f"And {more} more of this kind."] if more > 0 else [])]


def _limit(noise: float, base_kl: float | None) -> float:
    return _TIMES_THE_NOISE * max(noise, base_kl or 0.0) + _ARITHMETIC


def _readings(expected: Expected, told: dict[str, Any]) -> Iterator[str]:
    """What is wrong with how it reads texts and conversations."""
    for texts, right, there in (
        (expected.tried.texts, expected.tokens, told["tokens"]),
        (expected.tried.texts, expected.tokens_with_special, told["tokens_with_special"]),
    ):
        wrong = next((n for n, (a, b) in enumerate(zip(right, there, strict=True)) if a != b), None)
        if wrong is not None:
            yield _misread(texts[wrong], right[wrong], there[wrong])
            break
    if expected.eos and told["eos"] != expected.eos:
        yield f"The token that ends a text is {told['eos']!r} there, and {expected.eos!r} here."
    if told["vocabulary"] != expected.vocabulary:
        yield f"There are {told['vocabulary']} tokens there, and {expected.vocabulary} here."
    if told["context"] is not None and expected.context and told["context"] != expected.context:
        yield f"It reads texts of {told['context']} tokens there, and of {expected.context} here."
    if expected.chat_template:
        here, there = ((template or "").removesuffix("\n") for template in (expected.chat_template, told["chat_template"]))
        if here != there:  # but for a last line's end, which Jinja leaves out
            yield "Its chat template is another one there."
        for right_text, there_text in zip(expected.chats, told["chats"], strict=True):
            if right_text is not None and there_text not in (right_text, right_text.removeprefix(expected.begins)):
                yield f"A conversation is written {_short(there_text)} there, and {_short(right_text)} here."
                break


def _misread(text: str, right: list[int], there: list[int]) -> str:
    if there == right[1:]:
        return "A token that begins every text is missing there."
    if there[1:] == right:
        return "A token is put before every text there, and not here."
    place = next((n for n, (a, b) in enumerate(zip(right, there, strict=False)) if a != b), min(len(right), len(there)))
    return (
        f"{_short(text)} is split into other tokens there: {there[place : place + 6]}, and {right[place : place + 6]} here."
    )


def _short(text: str | None) -> str:
    if text is None:
        return "not at all"
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def llama_cpp() -> str:
    """Its name with its version. Raises ModelError if it is not installed."""
    if missing := [name for name in ("gguf", "xllamacpp") if importlib.util.find_spec(name) is None]:
        raise ModelError(f"GGUF files need {' and '.join(missing)}, not installed here.", f"Install: {INSTALL}")
    return f"llama.cpp (xllamacpp {importlib.metadata.version('xllamacpp')})"
