"""Writes on from a prompt, token by token. Samples during training and the playground both come from here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from worker.errors import ModelError
from worker.models.loading import LanguageModel

if TYPE_CHECKING:
    from transformers import LogitsProcessorList, PreTrainedTokenizerBase

FinishReason = Literal["stop", "length"]

_MEMORIES = ("past_key_values", "cache_params", "state")  # attention's, Mamba's and RWKV's, given out and taken in again


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens. ``temperature`` 0 takes the likeliest each time; ``top_k`` 0 and ``top_p`` 1 leave all in.

    The same ``seed`` gives the same text; None a new one each time. The text ends before the first of ``stop``.
    """

    max_new_tokens: int = 60
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """One token the model chose. ``text`` is what can be shown now: it lags behind while a character or a stop string
    may be incomplete. ``logprob`` is in nats, before temperature. The last piece alone has ``finish``."""

    text: str
    id: int
    logprob: float
    finish: FinishReason | None


def encode_prompt(language_model: LanguageModel, prompt: str, *, chat: Mapping[str, Any] | None = None) -> list[int]:
    """Token ids of ``prompt``, never none; with ``chat``, as a user's message in the model's chat template, which these are
    the variables of. Raises ModelError if it has none.

    One that would leave no room in the context loses its beginning.
    """
    tokenizer: Any = language_model.tokenizer
    if chat is not None:
        if not tokenizer.chat_template:
            raise ModelError("This model has no chat format.", "Prompt it with plain text.")
        message = [{"role": "user", "content": prompt}]
        prompt = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True, **chat)
    ids: list[int] = tokenizer(prompt, add_special_tokens=chat is None, verbose=False)["input_ids"]
    if not ids:
        ids = [next(token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, 0) if token is not None)]
    if language_model.context and len(ids) >= language_model.context:
        ids = ids[-(language_model.context // 2) :]
    return ids


@torch.inference_mode()
def stream(language_model: LanguageModel, prompt_ids: Sequence[int], sampling: Sampling) -> Iterator[Piece]:
    """The tokens that follow ``prompt_ids``, one by one, until the model ends the text or a limit is reached.

    Tokens are drawn on the CPU, so that a seed means the same on every device.
    """
    model = language_model.model.eval()
    ends = _end_ids(language_model)
    room = (language_model.context or 1 << 30) - len(prompt_ids)
    limit = min(sampling.max_new_tokens, room)
    generator = torch.Generator()
    generator.seed() if sampling.seed is None else generator.manual_seed(sampling.seed)
    warpers = _warpers(sampling)
    text = _TextStream(language_model.tokenizer, prompt_ids)
    holder = _StopHolder(sampling.stop)
    reader = _Reader(model)
    newest = list(prompt_ids)
    for count in range(1, limit + 1):
        logits = reader.logits_after(newest)
        token = _choose(logits, sampling, warpers, generator)
        logprob = float(torch.log_softmax(logits[0], dim=-1)[token])
        shown = holder.push("" if token in ends else text.push(token))
        finish: FinishReason | None = None
        if token in ends or holder.found:
            finish = "stop"
        elif count == limit:
            finish = "length"
        yield Piece(shown + holder.rest() if finish else shown, token, logprob, finish)
        if finish:
            return
        newest = [token]


class _Reader:
    """Has a model read a text bit by bit, and keeps what it needs to remember of what it has read.

    A model that remembers nothing (OpenAI-GPT), or only within itself, where texts would mix, reads all of it each time.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._text = torch.zeros(1, 0, dtype=torch.long, device=model.device)
        self._memory: dict[str, Any] | None = {}
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def logits_after(self, ids: Sequence[int]) -> torch.Tensor:
        """The logits [1, vocabulary], on the CPU, of what follows ``ids`` and all that was read before."""
        new = torch.tensor([list(ids)], device=self._text.device)
        self._text = torch.cat((self._text, new), dim=1)
        inputs = new if self._memory else self._text
        told = {}
        if self._takes_positions:  # left to itself, Bamba counts them from 0 each time
            end = self._text.shape[1]
            told["position_ids"] = torch.arange(end - inputs.shape[1], end, device=inputs.device)[None]
        remembers = self._memory is not None
        output = self._model(input_ids=inputs, use_cache=remembers, logits_to_keep=1, **told, **(self._memory or {}))
        self._memory = {name: output[name] for name in _MEMORIES if output.get(name) is not None} or None
        logits: torch.Tensor = output.logits[:, -1].float().cpu()
        return logits


def _end_ids(language_model: LanguageModel) -> set[int]:
    """Tokens that end a text: the tokenizer's, and those a chat model names besides."""
    named = language_model.model.generation_config.eos_token_id
    ids = named if isinstance(named, list) else [named]
    return {token for token in [*ids, language_model.tokenizer.eos_token_id] if token is not None}


def _warpers(sampling: Sampling) -> LogitsProcessorList:
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    warpers = LogitsProcessorList()
    if sampling.temperature > 0:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k > 0:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    return warpers


def _choose(logits: torch.Tensor, sampling: Sampling, warpers: LogitsProcessorList, generator: torch.Generator) -> int:
    """A token id drawn from ``logits`` [1, vocabulary]."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(warpers(None, logits), dim=-1)
    return int(torch.multinomial(chances, 1, generator=generator))


class _TextStream:
    """Turns token ids into text as they come. A character made of several tokens comes out with the last of them.

    The prompt's last tokens are decoded along, as some tokenizers write a word's space only after another word.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._ids = list(prompt_ids[-5:])
        self._shown = self._decode()

    def push(self, token: int) -> str:
        """The text that ``token`` completes, perhaps none."""
        self._ids.append(token)
        text = self._decode()
        if text.endswith("\ufffd"):
            return ""
        new = text[len(self._shown) :]
        self._ids = self._ids[-5:]
        self._shown = self._decode()
        return new

    def _decode(self) -> str:
        text: str = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        return text


class _StopHolder:
    """Holds back text that may turn out to be the beginning of a stop string, and all from a stop string on."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        """What may be shown of all that came so far."""
        self._held += text
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.found = True
            shown, self._held = self._held[: min(places)], ""
            return shown
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def rest(self) -> str:
        """What was held back in vain, once the text has ended."""
        rest, self._held = self._held, ""
        return rest


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that ``stop`` begins with."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
