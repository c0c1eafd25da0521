"""The texts that an export is tried on: of the run's validation split, else of its dataset, else some of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from worker.contract import Job
from worker.data.corpus import Corpus
from worker.data.encoding import Encoder
from worker.data.formats import Row, plain_text
from worker.errors import DataError

_TOKENS = 256
_LONGEST = 96
_TEXTS = 24
_CHARACTERS = 2_000_000
_OWN = (
    "The harbour was quiet when the last boat came in, and nobody saw who stepped ashore.",
    "To measure how far two distributions are apart, average the logarithm of their ratio over the first of them.",
    "She counted 1, 2, 3, then 1024 and 65536, and wrote down 3.14159 before the light went out.",
    "“Don't you think,” he'd asked, “that we'll be late?” They weren't, as it turned out.",
)
_PROBES = (
    "I'm you're he'd we'll they've It'S", "1 22 333 4444 1234567890", " two  three   four", "tab\tnew\nline\n\n\ntwo",
    "naïve café — “quoted” … 日本語 Привет مرحبا", "👩‍👩‍👧 🙂!?", "snake_case camelCase x+=1; {}[]()", "",
)  # fmt: skip


class Tried(NamedTuple):
    """``rows``: token ids, each a text's beginning. ``texts`` are for the tokenizers; ``told`` says where they are from."""

    rows: list[list[int]]
    texts: list[str]
    told: str


def rows_to_try(job: Job, tokenizer: Any, context: int | None) -> Tried:
    """A few hundred tokens that the model was not trained on, as far as there are such."""
    longest = min(_LONGEST, (context or _LONGEST) - 1)  # llama.cpp wants room for one more
    found, told = _of_dataset(job)
    encoder = Encoder(tokenizer, job.dataset.reading, longest, skip_refused=True)
    rows, taken = list[list[int]](), 0
    for row in found:
        try:
            ids = encoder.whole([row], [0])[0].ids[:longest]
        except DataError:  # a conversation that the template does not take
            continue
        if len(ids) > 1:
            rows.append(ids[: _TOKENS - taken])
            taken += len(rows[-1])
        if taken >= _TOKENS:
            break
    if not rows:
        told = "texts of Trainboard's own"
        rows = [tokenizer(text)["input_ids"][:longest] for text in _OWN]
    marks = [f"a{token.content}b" for token in tokenizer.added_tokens_decoder.values()][:4]
    return Tried(rows, [*(plain_text(row)[:2000] for row in found), *_PROBES, *_OWN, *marks], told)


def _of_dataset(job: Job) -> tuple[list[Row], str]:
    """The first rows to test on, or where there are none the first ones."""
    source = job.validation or job.dataset
    try:
        corpus = Corpus.read(source, job.validation_share, job.config.max_length, most_characters=_CHARACTERS)
        sides = {True: "the validation split", False: "the dataset, as there is no validation split"}
        wanted = job.validation_share > 0 and corpus.test_texts > 0
        found = [row for row, is_test in _sides(corpus) if is_test or not wanted][:_TEXTS]
    except (DataError, OSError):
        return [], ""
    return found, "the validation dataset" if job.validation else sides[wanted]


def _sides(corpus: Corpus) -> Iterator[tuple[Row, bool]]:
    for chunk, is_test in corpus.chunks():
        yield from zip(chunk.rows, map(bool, is_test), strict=True)


def conversations(chat_template: str | None) -> list[list[dict[str, str]]]:
    """Conversations to render, if there is a template."""
    if not chat_template:
        return []
    asked = [{"role": "user", "content": "How far is the moon?"}]
    answered = [
        *asked,
        {"role": "assistant", "content": "About 384,400 km."},
        {"role": "user", "content": " And the sun?\n"},
    ]
    return [asked, answered, [{"role": "system", "content": "Answer briefly."}, *answered]]


def chats_of(tokenizer: Any) -> list[str | None]:
    """These, as the tokenizer's template writes them before an answer; None where it takes no such conversation."""
    from jinja2 import TemplateError

    def rendered(chat: Any) -> str | None:
        try:
            return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        except TemplateError:
            return None

    template = tokenizer.chat_template
    return [rendered(chat) for chat in conversations(template if isinstance(template, str) else None)]


def puts_bos(tokenizer: Any) -> bool:
    """Whether the token that begins a text is put before each."""
    return tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
