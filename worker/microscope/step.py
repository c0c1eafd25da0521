"""One real training step, made in memory and taken back: forward, loss, backward, update, and the loss after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from worker.datasets.token_view import TokenNames
from worker.errors import UnsupportedError
from worker.microscope.chosen_row import ChosenRow
from worker.microscope.question import Question
from worker.microscope.subject import Readiness
from worker.models.loading import LanguageModel
from worker.models.loss import cross_entropy_sum
from worker.models.parts import trained_parts
from worker.models.scores import TokenScores, score_tokens

_MOST_MOVED = 8  # tokens that are named as those that the update moved most
_DIGITS = 7  # of a number, as many as fp32 has
_ATTENTION_DECIMALS = 6


class Before(NamedTuple):
    """A forward pass that can be gone backward from. ``logits`` [tokens - 1, vocabulary]; ``embedded``
    [1, tokens - 1, width] is what the tokens became at first; ``attention``: of each layer that has some
    [1, heads, tokens - 1, tokens - 1]."""

    logits: torch.Tensor
    embedded: torch.Tensor
    attention: list[torch.Tensor]


def make_step(
    question: Question, language_model: LanguageModel, chosen: ChosenRow, ready: Readiness, say: Callable[[str], None]
) -> dict[str, Any]:
    """backend/schemas/microscope.py's MicroscopeStep, but for what the server knows itself. The model is left as it was.

    Raises UnsupportedError for a layer or head that the model does not have.
    """
    model: Any = language_model.model
    config = question.job.config
    ids = torch.tensor(chosen.ids)
    targets, learned = ids[1:], torch.tensor(chosen.learned[1:])
    parts = trained_parts(model)
    weights = [weight for part in parts.values() for weight in part]

    say("Forward: the model reads the text and foresees each next token.")
    before = _forward(model, ids)
    scores = score_tokens(before.logits.detach(), targets, question.top)
    attention = _attention(before.attention, question)

    say("Backward: the gradient of the loss flows back through every layer.")
    loss = cross_entropy_sum(before.logits[learned], targets[learned], config.label_smoothing) / int(learned.sum())
    with _taken_back(model, weights) as kept:
        loss.backward()  # type: ignore[no-untyped-call]
        flowed = before.embedded.grad
        norms = {name: _norm([weight.grad for weight in part]) for name, part in parts.items()}
        norm = float(torch.nn.utils.clip_grad_norm_(weights, config.max_grad_norm))
        say("Update: the optimizer changes the weights, and the model reads the text again.")
        if math.isfinite(norm):  # as in training, where a broken gradient changes nothing
            ready.optimizer.step()
        ratios = {name: _ratio(part, kept) for name, part in parts.items()}
        with torch.no_grad():
            after = score_tokens(_logits(model(input_ids=ids[None, :-1], use_cache=False)), targets, 0)
    names = TokenNames(language_model.tokenizer)
    tokens = _tokens(names, chosen, scores, after, _entropy(before.logits.detach()), flowed)
    return {
        "tokens": tokens,
        "side": chosen.side,
        "cut": chosen.cut,
        "most_tokens": chosen.most,
        "windows": chosen.windows,
        "loss": _number(loss.detach()),
        "loss_after": _number(after.nats[learned].mean()),
        "attention": attention,
        "parts": [
            {
                "name": name,
                "weights": sum(weight.numel() for weight in part),
                "grad_norm": _number(norms[name]),
                "update_ratio": _number(ratios[name]),
            }
            for name, part in parts.items()
        ],
        "grad_norm": _number(norm),
        "grad_norm_clipped": _number(norm * min(1.0, config.max_grad_norm / (norm + 1e-6))),  # as torch clips
        "max_grad_norm": config.max_grad_norm,
        "optimizer": ready.name,
        "optimizer_state": ready.state,
        "update": ready.update,
        "learning_rate": ready.learning_rate,
        "learning_rate_share": ready.share,
        **_moved(tokens),
        "notes": [*ready.notes, *_notes(question, model, finite=math.isfinite(norm))],
    }


def _forward(model: Any, ids: torch.Tensor) -> Before:
    embedded: list[torch.Tensor] = []

    def keep(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        if not output.requires_grad:  # of an adapter's model, whose embeddings are not trained
            output = output.requires_grad_(True)
        output.retain_grad()
        embedded.append(output)
        return output

    with model.get_input_embeddings().register_forward_hook(keep):
        out = model(input_ids=ids[None, :-1], use_cache=False, output_attentions=True)
    attention = [layer for layer in getattr(out, "attentions", None) or () if layer is not None]
    return Before(_logits(out), embedded[0], attention)


def _logits(out: Any) -> torch.Tensor:
    logits: torch.Tensor = out.logits[0].float()
    return logits


def _attention(layers: Sequence[torch.Tensor], question: Question) -> dict[str, Any] | None:
    """What one head looks at: of each token its weights on itself and those before it. None if nothing in the model is
    attention."""
    if not layers:
        return None
    heads = layers[min(question.layer, len(layers) - 1)].shape[1]
    for field, wanted, count in (("layer", question.layer, len(layers)), ("head", question.head, heads)):
        if wanted >= count:
            has = f"the model has {count} {field}s with attention" if field == "layer" else f"the layer has {count} heads"
            raise UnsupportedError(field, f"There is no {field} {wanted}: {has}, counted from 0.")
    square = layers[question.layer][0, question.head].detach()
    return {
        "layers": len(layers),
        "heads": heads,
        "layer": question.layer,
        "head": question.head,
        "weights": [
            [round(weight, _ATTENTION_DECIMALS) for weight in row[: place + 1]] for place, row in enumerate(square.tolist())
        ],
    }


@contextmanager
def _taken_back(model: Any, weights: Sequence[torch.nn.Parameter]) -> Iterator[dict[int, torch.Tensor]]:
    """Within the block weights may change; it gives what each was, by its id. Afterwards they are that again."""
    kept = {id(weight): weight.detach().clone() for weight in weights}
    try:
        yield kept
    finally:
        with torch.no_grad():
            for weight in weights:
                weight.copy_(kept[id(weight)])
        model.zero_grad(set_to_none=True)


def _norm(tensors: Sequence[torch.Tensor | None]) -> float:
    """Of all numbers together; 0 where there are none, as of an expert that was not asked."""
    found = [torch.linalg.vector_norm(tensor) for tensor in tensors if tensor is not None]
    return float(torch.linalg.vector_norm(torch.stack(found))) if found else 0.0


def _ratio(part: Sequence[torch.nn.Parameter], kept: dict[int, torch.Tensor]) -> float:
    """How much the part's weights have changed: norm of the change by norm of the weights. NaN where all were 0."""
    before = _norm([kept[id(weight)] for weight in part])
    changed = _norm([weight.detach() - kept[id(weight)] for weight in part])
    return changed / before if before else math.nan


def _entropy(logits: torch.Tensor) -> torch.Tensor:
    """Of the guesses at each place in nats: 0 if all is on one token."""
    logprobs = torch.log_softmax(logits, dim=-1)
    return -(logprobs.exp() * logprobs).nan_to_num().sum(-1)  # 0 · log 0 is 0


def _tokens(
    names: TokenNames,
    chosen: ChosenRow,
    scores: TokenScores,
    after: TokenScores,
    entropy: torch.Tensor,
    flowed: torch.Tensor | None,
) -> list[dict[str, Any]]:
    """A LookedAtToken each."""
    gradients = [] if flowed is None else torch.linalg.vector_norm(flowed[0], dim=-1).tolist()
    told: list[dict[str, Any]] = [
        {
            "id": token,
            "text": names.text(token),
            "learned": learned,
            "gradient": _number(gradients[place]) if place < len(gradients) else None,
            **dict.fromkeys(("nats", "probability", "rank", "entropy", "nats_after", "probability_after")),
            "top": [],
        }
        for place, (token, learned) in enumerate(zip(chosen.ids, chosen.learned, strict=True))
    ]
    for place, token in enumerate(told[1:]):
        top = zip(scores.top_ids[place].tolist(), scores.top_logprobs[place].exp().tolist(), strict=True)
        token |= {
            "nats": _number(scores.nats[place]),
            "probability": _number((-scores.nats[place]).exp()),
            "rank": int(scores.ranks[place]),
            "entropy": _number(entropy[place]),
            "nats_after": _number(after.nats[place]),
            "probability_after": _number((-after.nats[place]).exp()),
            "top": [{"id": each, "text": names.text(each), "probability": _number(share)} for each, share in top],
        }
    return told


def _moved(tokens: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """The places of the tokens whose probability the update raised and lowered most, the most first."""
    changes = [
        (token["probability_after"] - token["probability"], place)
        for place, token in enumerate(tokens)
        if token["probability"] is not None and token["probability_after"] is not None
    ]
    ordered = sorted(changes)
    return {
        "rose": [place for change, place in reversed(ordered[-_MOST_MOVED:]) if change > 0],
        "fell": [place for change, place in ordered[:_MOST_MOVED] if change < 0],
    }


def _notes(question: Question, model: Any, *, finite: bool) -> Iterator[str]:
    """How this step differs from one of the run's, a sentence each."""
    config = question.job.config
    size = config.window_size
    if size > 1:
        yield f"An update of the run averages the gradients of {size:,} examples; this one is of a single example."
    if any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules()) or _drops(model):
        yield "Dropout is left out, so that the same question has the same answer."
    if config.neftune_noise_alpha:
        yield "NEFTune's noise is left out, so that the same question has the same answer."
    if config.load_in_4bit:
        yield "The run holds what it does not train in 4 bits; here it is in fp32."
    if not finite:
        yield "The gradient is not a finite number, so the update was not made. Training would stop here."


def _drops(model: Any) -> bool:
    """Whether attention has dropout of its own, which some designs keep as a number."""
    return bool(getattr(model.config.get_text_config(), "attention_dropout", 0))


def _number(value: torch.Tensor | float) -> float | None:
    """With the digits that fp32 has; None for what is not finite, which JSON cannot say."""
    number = float(value)
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None
