"""The special tokens at which a model that was trained on a dataset stops: those that its texts and answers end with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from worker.data.chats.chat_form import ANSWERER, REFUSALS, ChatForm
from worker.data.chats.chat_messages import SAMPLE, SAMPLE_TOOLS, Messages
from worker.data.chats.special_tokens import special_ids
from worker.data.corpus import Examples
from worker.data.formats import Chat

_ANSWER = "an answer"


def turn_ends(tokenizer: Any) -> list[int]:
    """Those of answers in the tokenizer's chat template: of one in words, and of a call where that ends otherwise."""
    form = ChatForm(tokenizer)
    user, answer = {"role": "user", "content": "c"}, {"role": ANSWERER, "content": _ANSWER}
    last, earlier = (_following(form, messages) for messages in ([user, answer], [user, answer, user]))
    both = last[: form.common_beginning(last, earlier)]  # what ends the conversation may follow, or the next turn
    ends = [form.last_special(both) or form.special_at(last, 0) or form.special_at(earlier, 0)]
    with suppress(*REFUSALS):
        call = form.render(Chat(SAMPLE[:2], SAMPLE_TOOLS))
        ends += [form.last_special(call.text[start:end]) for start, end in call.spans]
    return [int(tokenizer.convert_tokens_to_ids(end)) for end in dict.fromkeys(ends) if end]


def _following(form: ChatForm, messages: Messages) -> str:
    """What follows the answer in a conversation, with a tool if it is refused without; empty if it is refused."""
    for tools in (None, SAMPLE_TOOLS):
        with suppress(*REFUSALS):
            return form.text(messages, tools).rpartition(_ANSWER)[2].lstrip()
    return ""


def text_ends(tokenizer: Any, learned: Sequence[Examples]) -> list[int]:
    """The one that most examples of each dataset end with: the tokenizer's own, or what stands in the texts themselves."""
    last = [np.bincount(examples.tokens[examples.ends - 1]) for examples in learned if len(examples)]
    most = [int(counts.argmax()) for counts in last if counts.max() > counts.sum() / 2]
    return [token for token in dict.fromkeys(most) if token in special_ids(tokenizer)]
