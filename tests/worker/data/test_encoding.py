"""Which tokens a row becomes, and which of them are learned."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import ByT5Tokenizer, GPT2Tokenizer, PreTrainedTokenizerFast

from worker.contract import Reading
from worker.data.encoding import PLAIN_CHAT_TEMPLATE, REFUSED, TOLD, Encoded, Encoder, told
from worker.data.formats import Chat, Completion, Message, Section, joined
from worker.data.tokenizer import train_tokenizer
from worker.errors import DataError

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The form that many models use."""

FORGETS = (
    "{% for m in messages %}{% if m['role'] != 'assistant' %}{{ '<u>' + m['content'] + '</u>' }}"
    "{% elif loop.last %}{{ '<a>' + m['content'] + '</a>' }}"
    "{% else %}{{ '<a>' + m['content'].split('#')[-1] + '</a>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<a>' }}{% endif %}"
)
"""One that drops what an assistant thought (before a #) once the conversation has gone on, as reasoning models' do."""

STRICT = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system messages here') }}{% endif %}" + CHATML


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    return train_tokenizer(corpus, vocab_size=400, context=256)


@pytest.fixture(scope="module")
def ending_tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    """The same, ending each text itself, as those of some models do."""
    tokenizer = train_tokenizer(corpus, vocab_size=400, context=256)
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end[0]}", pair=f"$A $B {end[0]}", special_tokens=[end]
    )
    return tokenizer


def chat(*messages: tuple[str, str]) -> Chat:
    return Chat(tuple(Message(role=role, content=content) for role, content in messages))


def encode(tokenizer: Any, kind: str, *rows: Any, template: str | None = None, max_length: int = 512) -> list[Encoded]:
    tokenizer.chat_template = template
    return Encoder(tokenizer, Reading(kind=kind), max_length).whole(rows, range(1, len(rows) + 1))


def learned(tokenizer: Any, example: Encoded) -> str:
    """The text of the learned tokens; a ¦ where others stand between them."""
    parts, inside = [], False
    for token, target in zip(example.ids, example.targets or [True] * len(example.ids), strict=True):
        if target and not inside and parts:
            parts.append("¦")
        if target:
            parts.append(tokenizer.decode([token]) if tokenizer.decode([token]) != "\ufffd" else "?")
        inside = target
    return "".join(parts)


ANSWERS = ["Hello!", "\n\nTwo\nlines  ", "naïve 😀", "日本語", "x"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_of_a_completion_only_the_completion_and_its_end_are_learned(tokenizer: GPT2Tokenizer, answer: str) -> None:
    (example,) = encode(tokenizer, "completion", Completion(prompt="What is it? 😀", completion=answer))
    blank = "" if answer[0].isspace() or answer == "日本語" else " "
    assert tokenizer.decode(example.ids) == f"What is it? 😀{blank}{answer}<|endoftext|>"
    assert example.targets is not None
    kept = [token for token, target in zip(example.ids, example.targets, strict=True) if target]
    assert tokenizer.decode(kept) == f"{blank}{answer}<|endoftext|>"


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("completion", Completion("Once upon a time", "there was")),
        ("completion", Completion("", "x")),
        ("text", "Once upon a time"),
        ("document", Section("Once upon a time", ends=True)),
        ("chat", chat(("user", "Hi"), ("assistant", "Yes?"))),
    ],
)
def test_an_end_that_the_tokenizer_adds_itself_is_not_added_again(
    tokenizer: GPT2Tokenizer, ending_tokenizer: GPT2Tokenizer, kind: str, row: Any
) -> None:
    assert ending_tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id
    expected, found = (encode(each, kind, row, template=CHATML) for each in (tokenizer, ending_tokenizer))
    assert found == expected
    assert found[0].ids.count(tokenizer.eos_token_id) == 1


def test_a_prompt_that_ends_in_a_blank_is_left_as_it_is(tokenizer: GPT2Tokenizer) -> None:
    (example,) = encode(tokenizer, "completion", Completion(prompt="Answer:\n", completion="yes"))
    assert tokenizer.decode(example.ids) == "Answer:\nyes<|endoftext|>"


def test_a_completion_without_a_prompt_is_learned_but_for_its_first_token(tokenizer: GPT2Tokenizer) -> None:
    (example,) = encode(tokenizer, "completion", Completion(prompt="", completion="Once upon a time"))
    assert tokenizer.decode(example.ids) == "Once upon a time<|endoftext|>"
    assert example.trained == len(example.ids) - 1


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    ("template", "end"), [(CHATML, "<|im_end|>\n<|endoftext|>"), (PLAIN_CHAT_TEMPLATE, "<|endoftext|>\n")]
)
def test_of_a_chat_only_the_answers_and_their_ends_are_learned(
    tokenizer: GPT2Tokenizer, answer: str, template: str, end: str
) -> None:
    row = chat(("system", "Be kind."), ("user", "Hi 😀"), ("assistant", answer), ("user", "And?"), ("assistant", "Bye."))
    (example,) = encode(tokenizer, "chat", row, template=template)
    tokenizer.chat_template = template
    rendered = tokenizer.apply_chat_template(
        [m._asdict() if hasattr(m, "_asdict") else vars(m) for m in row.messages], tokenize=False
    )
    assert tokenizer.decode(example.ids).removesuffix("<|endoftext|>") == rendered.removesuffix("<|endoftext|>")
    assert example.targets is not None
    kept = tokenizer.decode([token for token, target in zip(example.ids, example.targets, strict=True) if target])
    blank = " " if template == PLAIN_CHAT_TEMPLATE else ""
    first_end = end.removesuffix("<|endoftext|>") if template == CHATML else end
    assert kept == f"{blank}{answer}{first_end}{blank}Bye.{end}"


def test_an_answer_that_a_template_rewrites_later_is_learned_as_it_is_shown(tokenizer: GPT2Tokenizer) -> None:
    row = chat(("user", "a"), ("assistant", "hm#One"), ("user", "b"), ("assistant", "so#Two"))
    tokenizer.chat_template = FORGETS
    encoder = Encoder(tokenizer, Reading(kind="chat"), 512)
    (example,) = encoder.whole([row], [1])
    assert learned(tokenizer, example) == "One</a>¦so#Two</a><|endoftext|>"
    assert encoder.lost == {"answers": 1}


def test_a_row_that_the_template_refuses_is_named(tokenizer: GPT2Tokenizer) -> None:
    rows = [chat(("user", "a"), ("assistant", "b")), chat(("system", "s"), ("user", "a"), ("assistant", "b"))]
    with pytest.raises(DataError, match=r"Row 2 cannot be put into this model's chat format: No system messages here"):
        encode(tokenizer, "chat", *rows, template=STRICT)


def test_a_chat_without_an_answer_teaches_nothing(tokenizer: GPT2Tokenizer) -> None:
    (example,) = encode(tokenizer, "chat", chat(("user", "a")), template=CHATML)
    assert example.trained == 0


def test_windows_of_a_document_learn_every_token_but_the_first_once(tokenizer: GPT2Tokenizer, corpus: list[str]) -> None:
    for length in (8, 9, 50):
        encoder = Encoder(tokenizer, Reading(kind="document"), length)
        (whole,) = encoder.whole([Section(text=" ".join(corpus[:4]), ends=True)], [1])
        windows = list(encoder.windows(whole))
        assert [token for window in windows for token in window.ids[1:]] == whole.ids[1:]
        assert sum(window.trained for window in windows) == len(whole.ids) - 1
        assert all(len(window.ids) == length for window in windows[:-1])
        assert all(window.trained for window in windows)
        assert not encoder.is_cut(whole)


def test_only_the_end_of_a_document_ends_the_text(tokenizer: GPT2Tokenizer) -> None:
    first, last = encode(tokenizer, "document", Section(text="one", ends=False), Section(text="two", ends=True))
    assert first.ids[-1] != tokenizer.eos_token_id
    assert last.ids[-1] == tokenizer.eos_token_id


def test_a_row_is_cut_at_the_longest_length(tokenizer: GPT2Tokenizer) -> None:
    encoder = Encoder(tokenizer, Reading(), 8)
    short, long = encoder.whole(["Hi", "a b c d e f g h i j"], [1, 2])
    assert (encoder.is_cut(short), encoder.is_cut(long)) == (False, True)
    assert [window.ids for window in encoder.windows(long)] == [long.ids[:8]]


def test_the_seam_is_found_with_a_tokenizer_that_marks_words_by_their_blank() -> None:
    """As SentencePiece does: a blank is put before the text, and each word's blank belongs to its token."""
    words = ["<s>", "</s>", "<unk>", "▁What", "▁is", "▁it", "?", "▁a", "▁cat", "▁"]
    inner = Tokenizer(models.BPE(*merges_of(words), unk_token="<unk>", fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Replace("▁", " ")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    (example,) = encode(tokenizer, "completion", Completion(prompt="What is it?", completion="a cat"))
    tokens = tokenizer.convert_ids_to_tokens(example.ids)
    assert tokens == ["▁What", "▁is", "▁it", "?", "▁a", "▁cat", "</s>"]
    assert example.targets == [False] * 4 + [True] * 3


def merges_of(words: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A BPE vocabulary in which each of these words comes together letter by letter."""
    vocabulary = {word: number for number, word in enumerate(words)}
    merges: list[tuple[str, str]] = []
    for word in words[3:]:
        for letter in word:
            vocabulary.setdefault(letter, len(vocabulary))
        for end in range(1, len(word)):
            pair = (word[:end], word[end])
            if word[: end + 1] not in vocabulary or pair not in merges:
                vocabulary.setdefault(word[: end + 1], len(vocabulary))
                if pair not in merges:
                    merges.append(pair)
    return vocabulary, merges


@pytest.mark.parametrize("kind", ["text", "completion", "document"])
def test_a_row_is_cut_beyond_the_longest_length_and_not_at_it(tokenizer: GPT2Tokenizer, kind: str) -> None:
    row: Any = {
        "text": "Once upon a time",
        "completion": Completion("Once", "upon a time"),
        "document": Section("Once upon a", True),
    }[kind]
    (whole,) = encode(tokenizer, kind, row)
    length = len(whole.ids)
    for most, kept in ((length + 1, length), (length, length), (length - 1, length - 1)):
        encoder = Encoder(tokenizer, Reading(kind=kind), most)
        assert encoder.is_cut(whole) == (most < length and kind != "document")
        assert len(next(iter(encoder.windows(whole))).ids) == kept


def test_rows_that_the_template_refuses_can_be_left_out(tokenizer: GPT2Tokenizer) -> None:
    rows = [chat(("system", "s"), ("user", "a"), ("assistant", "b")), chat(("user", "a"), ("assistant", "b"))]
    tokenizer.chat_template = STRICT
    encoder = Encoder(tokenizer, Reading(kind="chat"), 512, skip_refused=True)
    left_out, kept = encoder.whole(rows, [7, 8])
    assert (left_out.ids is REFUSED, left_out.trained, kept.trained > 0) == (True, 0, True)
    assert told(encoder.lost, encoder.refused_rows) == [TOLD["refused"].format(count=1), "Left out: row 7."]


def test_a_form_without_a_system_message_says_so_and_what_to_do(tokenizer: GPT2Tokenizer) -> None:
    tokenizer.chat_template = STRICT
    encoder = Encoder(tokenizer, Reading(kind="chat"), 512)
    with pytest.raises(DataError, match="It has no place for a system message") as caught:
        encoder.whole([chat(("system", "s"), ("user", "a"), ("assistant", "b"))], [1])
    assert "system_into_user" in str(caught.value.hint)
    tokenizer.chat_template = "{{ raise_exception('Never') }}"
    with pytest.raises(DataError) as caught:
        Encoder(tokenizer, Reading(kind="chat"), 512).whole([chat(("system", "s"), ("user", "a"), ("assistant", "b"))], [1])
    assert "system" not in f"{caught.value.reason} {caught.value.hint}"


def test_a_template_is_given_its_variables(tokenizer: GPT2Tokenizer) -> None:
    tokenizer.chat_template = CHATML + "{% if shout is defined and shout %}!{% endif %}"
    for value, expected in ((True, "b<|im_end|>\n!<|endoftext|>"), (False, "b<|im_end|>\n<|endoftext|>")):
        encoder = Encoder(tokenizer, Reading(kind="chat", chat_template_kwargs={"shout": value}), 512)
        (example,) = encoder.whole([chat(("user", "a"), ("assistant", "b"))], [1])
        assert learned(tokenizer, example) == expected


@pytest.mark.parametrize(
    ("prompt", "completion", "between"),
    [
        ("What is it?", "A cat.", " "), ("日本の首都は", "東京", ""), ("Q: 1+1\nA:", "2", " "), ("def f(", "x):", ""),
        ("https://example.org/", "index.html", ""), ("Answer: ", "yes", ""), ("[INST] hi [/INST]", "hey", " "),
        ("It rains", ", and pours", ""), ("ประเทศ", "ไทย", ""), ("서울은", "수도", " "), ("Hello", "😀", " "), ("", "x", ""),
    ],
)  # fmt: skip
def test_a_blank_divides_prompt_and_completion_where_one_belongs(prompt: str, completion: str, between: str) -> None:
    assert joined(Completion(prompt, completion)) == prompt + between + completion
    assert joined(Completion(prompt, completion, "\n")) == (prompt + "\n" if prompt else "") + completion


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_tokenizer_that_tells_no_places_learns_the_same(answer: str) -> None:
    """ByT5's, whose tokens are bytes, ends each text itself."""
    tokenizer = ByT5Tokenizer(extra_ids=0)
    (example,) = encode(tokenizer, "completion", Completion(prompt="Sí 😀", completion=answer))
    blank = "" if answer[0].isspace() or answer == "日本語" else " "
    assert example.ids == tokenizer.encode(f"Sí 😀{blank}{answer}")
    assert [token for token, target in zip(example.ids, example.targets or (), strict=True) if target] == tokenizer.encode(
        f"{blank}{answer}"
    )
    row = chat(("user", "Hi 😀"), ("assistant", answer), ("user", "And?"), ("assistant", "Bye."))
    (example,) = encode(tokenizer, "chat", row, template=PLAIN_CHAT_TEMPLATE)
    kept = tokenizer.decode([token for token, target in zip(example.ids, example.targets or (), strict=True) if target])
    assert kept == f" {answer.rstrip()}</s>\n Bye.</s>\n"  # blanks before a mark are dropped by ByT5's
