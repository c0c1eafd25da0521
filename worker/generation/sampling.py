"""Writes on from a prompt, token by token. Samples during training and the playground both come from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from worker.data.chats.chat_form import REFUSALS
from worker.errors import ModelError, UnsupportedError
from worker.generation.grammar import grammar_of
from worker.generation.readers import Reader
from worker.generation.text_stream import StopHolder, TextStream
from worker.models.loading import LanguageModel

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens. ``temperature`` 0 takes the likeliest each time; ``top_k`` 0, ``top_p`` 1 and ``min_p`` 0 leave
    all in. The same ``seed`` gives the same text; None a new one each time. The text ends before the first of ``stop``.

    ``repetition_penalty`` is that of CTRL (Keskar et al., 2019), over prompt and answer. ``presence_penalty`` is taken off
    the logit of each token that the answer has, ``frequency_penalty`` once for each time, as OpenAI has them; ``logit_bias``
    (id, number) is added. ``json_schema`` is JSON: with it the text is JSON that fits it.
    """

    max_new_tokens: int = 60
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    json_schema: str | None = None


@dataclass(frozen=True)
class Piece:
    """One token, chosen by the model or of a text that it scored.

    ``text`` is what can be shown now: it lags behind while a character or a stop string may be incomplete. ``logprob`` is in
    nats, before temperature, and so are those of the ``top`` tokens, likeliest first; a text's first token has none. The
    last piece that is chosen has ``finish``.
    """

    text: str
    id: int
    logprob: float | None
    finish: FinishReason | None
    top: tuple[tuple[int, float], ...] = ()


class Prompt(NamedTuple):
    """Token ids, never none; ``truncated`` are left out at the beginning, as they would leave no room in the context."""

    ids: list[int]
    truncated: int


def encode_prompt(language_model: LanguageModel, prompt: str, *, chat: Mapping[str, Any] | None = None) -> Prompt:
    """``prompt`` in tokens; with ``chat``, as a user's message in the model's chat template, which these are the variables
    of. Raises ModelError if it has none."""
    if chat is not None:
        return encode_chat(language_model, [{"role": "user", "content": prompt}], chat)
    return _encode(language_model, prompt, add_special_tokens=True)


def encode_chat(
    language_model: LanguageModel,
    messages: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Any],
    tools: Sequence[Any] | None = None,
    begun: str = "",
) -> Prompt:
    """A conversation in the model's chat template, ready for the next answer, or to go on with one that has ``begun``.

    What a developer says is the system's where the template knows no such role. Raises ModelError if there is no template,
    or one that refuses these messages, and UnsupportedError if it shows no ``tools``.
    """
    tokenizer: Any = language_model.tokenizer
    if not tokenizer.chat_template:
        raise ModelError("This model has no chat format.", "Prompt it with plain text.")
    if "developer" not in str(tokenizer.chat_template):
        messages = [{**each, "role": "system"} if each["role"] == "developer" else each for each in messages]
    render = partial(tokenizer.apply_chat_template, messages, tokenize=False, add_generation_prompt=True, **variables)
    try:
        text = render(tools=tools or None)
        shows_tools = not tools or text != render()
    except REFUSALS as error:
        raise ModelError(
            f"The model's chat format refuses these messages: {error}", "Change their roles or order."
        ) from error
    if not shows_tools:
        raise UnsupportedError("tools", "The model's chat format has no place for tools.", "Leave them out.")
    return _encode(language_model, text + begun, add_special_tokens=False)


def _encode(language_model: LanguageModel, text: str, *, add_special_tokens: bool) -> Prompt:
    tokenizer: Any = language_model.tokenizer
    ids: list[int] = tokenizer(text, add_special_tokens=add_special_tokens, verbose=False)["input_ids"]
    if not ids:
        ids = [next(token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, 0) if token is not None)]
    kept = ids
    if language_model.context and len(ids) >= language_model.context:
        kept = ids[-(language_model.context // 2) :]
    return Prompt(kept, len(ids) - len(kept))


class Writer:
    """One text that is being written: chooses each next token. Tokens are drawn on the CPU, so that a seed means the same on
    every device, and whatever is written beside it."""

    def __init__(self, language_model: LanguageModel, prompt_ids: Sequence[int], sampling: Sampling) -> None:
        self.unread = list(prompt_ids)
        """What the model is to read before the next token is chosen."""
        self.finish: FinishReason | None = None
        self.stop_string: str | None = None
        """The one of the sampling's that ended the text, if one did."""
        self._text = TextStream(language_model.tokenizer, prompt_ids)
        ends, specials = _end_ids(language_model), self._text.specials.items()
        self._stops = {token: text for token, text in specials if text in sampling.stop}
        self._ends = ends | self._stops.keys()
        self._grammar = grammar_of(language_model, sampling.json_schema, ends) if sampling.json_schema else None
        self._left = min(sampling.max_new_tokens, (language_model.context or 1 << 30) - len(prompt_ids))
        self._generator = torch.Generator()
        self._generator.seed() if sampling.seed is None else self._generator.manual_seed(sampling.seed)
        self._sampling, self._warpers = sampling, _warpers(sampling)
        self._read, self._written = list(prompt_ids), Counter[int]()
        self._holder = StopHolder(sampling.stop)

    def choose(self, logits: torch.Tensor) -> Piece:
        """The next token, given the ``logits`` [1, vocabulary] that follow what was unread."""
        adjusted = self._adjusted(logits)
        if self._grammar:
            adjusted = self._grammar.masked(adjusted)
        token = _choose(adjusted, self._sampling, self._warpers, self._generator)
        self._read.append(token)
        self._written[token] += 1
        logprobs = torch.log_softmax(logits[0], dim=-1)
        self.unread, self._left = [token], self._left - 1
        ended = token in self._ends
        complete = self._grammar is not None and not ended and self._grammar.accept(token)
        shown = self._holder.push("" if ended else self._text.push(token))
        if ended or complete or not self._left:
            shown += self._holder.push(self._text.rest())
        self.stop_string = self._stops.get(token, self._holder.found)
        self.finish = "stop" if ended or complete or self._holder.found else None if self._left else "length"
        return Piece(
            shown + self._holder.rest() if self.finish else shown,
            token,
            float(logprobs[token]),
            self.finish,
            _likeliest(logprobs, self._sampling.top_logprobs),
        )

    def _adjusted(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits after what the sampling adds to some tokens or takes off them."""
        sampling = self._sampling
        changes = dict(sampling.logit_bias)
        if sampling.presence_penalty or sampling.frequency_penalty:
            for token, count in self._written.items():
                off = sampling.presence_penalty + count * sampling.frequency_penalty
                changes[token] = changes.get(token, 0.0) - off
        if sampling.repetition_penalty != 1:
            logits = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)(torch.tensor([self._read]), logits)
        if not changes:
            return logits
        return logits.index_add(1, torch.tensor([*changes]), torch.tensor([[*changes.values()]], dtype=logits.dtype))


@torch.inference_mode()
def score(language_model: LanguageModel, ids: Sequence[int], top: int) -> Iterator[Piece]:
    """How likely the model finds each token of a text after those before it."""
    model: Any = language_model.model
    logits = model(input_ids=torch.tensor([list(ids)], device=model.device), use_cache=False).logits[0]
    stream = TextStream(language_model.tokenizer, [])
    texts = [stream.push(token) for token in ids]
    texts[-1] += stream.rest()
    yield Piece(texts[0], ids[0], None, None)
    for place, (text, token) in enumerate(zip(texts[1:], ids[1:], strict=True)):
        logprobs = torch.log_softmax(logits[place].float().cpu(), dim=-1)
        yield Piece(text, token, float(logprobs[token]), None, _likeliest(logprobs, top))


def _likeliest(logprobs: torch.Tensor, number: int) -> tuple[tuple[int, float], ...]:
    best = logprobs.topk(min(number, len(logprobs)))
    return tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))


@torch.inference_mode()
def stream(language_model: LanguageModel, prompt_ids: Sequence[int], sampling: Sampling) -> Iterator[Piece]:
    """The tokens that follow ``prompt_ids``, one by one, until the model ends the text or a limit is reached."""
    writer, reader = Writer(language_model, prompt_ids, sampling), Reader(language_model.model.eval())
    while not writer.finish:
        yield writer.choose(reader.logits_after(writer.unread))


def _end_ids(language_model: LanguageModel) -> set[int]:
    """Tokens that end a text: the tokenizer's, and those a chat model names besides."""
    named = language_model.model.generation_config.eos_token_id
    ids = named if isinstance(named, list) else [named]
    return {token for token in [*ids, language_model.tokenizer.eos_token_id] if token is not None}


def _warpers(sampling: Sampling) -> LogitsProcessorList:
    warpers = LogitsProcessorList()
    if sampling.temperature > 0:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k > 0:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p > 0:
        warpers.append(MinPLogitsWarper(sampling.min_p))
    return warpers


def _choose(logits: torch.Tensor, sampling: Sampling, warpers: LogitsProcessorList, generator: torch.Generator) -> int:
    """A token id drawn from ``logits`` [1, vocabulary]."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(warpers(None, logits), dim=-1)
    return int(torch.multinomial(chances, 1, generator=generator))
