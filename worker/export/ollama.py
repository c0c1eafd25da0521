"""A Modelfile, by which Ollama takes a .gguf file in, with a template that writes conversations as the model's own does.

Ollama's templates are Go's, and the model's is Jinja: a program, which cannot be translated in general. What most of them do
is regular: before and after what each role says stand always the same marks. These are found by rendering, and the template
made of them is tried on conversations, byte for byte.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_SAID = "⟨said⟩"
_ROLES = ("system", "user", "assistant")


class _Form(NamedTuple):
    """``marks``: role → what stands before and after what it says. ``ask`` ends a prompt; ``default`` is what the system
    says where there is no such message."""

    beginning: str
    marks: dict[str, tuple[str, str]]
    ask: str
    default: str | None

    def text(self, messages: list[dict[str, str]]) -> str:
        """A conversation as Ollama would write it."""
        if self.default is not None and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.default}, *messages]
        return self.beginning + "".join(map(self._said, messages)) + self.ask

    def _said(self, message: dict[str, str]) -> str:
        before, after = self.marks[message["role"]]
        return before + message["content"] + after


def modelfile(file: str, tokenizer: Any, *, adds_bos: bool) -> tuple[str, str | None]:
    """The Modelfile for ``file``, and what there is to say of its template, if that differs from the model's."""
    if not isinstance(tokenizer.chat_template, str):
        return f'FROM ./{file}\nTEMPLATE """{{{{ .Prompt }}}}"""\n', None
    form = _form_of(tokenizer, adds_bos)
    if form is None:
        return f"FROM ./{file}\n", (
            "The model's chat template cannot be written as Ollama's, so the Modelfile has none, and Ollama takes what it"
            " finds in the file. llama.cpp and LM Studio use the model's own."
        )
    lines = [f"FROM ./{file}", f'TEMPLATE """{_in_go(form)}"""']
    if form.default:
        lines.append(f'SYSTEM """{form.default}"""')
    lines += [f'PARAMETER stop "{mark}"' for mark in _stops(tokenizer, form)]
    return "\n".join(lines) + "\n", None


def _form_of(tokenizer: Any, adds_bos: bool) -> _Form | None:
    """The form of the tokenizer's template, or None if it is not a regular one."""
    from jinja2 import TemplateError

    bos = tokenizer.bos_token if adds_bos else ""

    def render(messages: list[dict[str, str]], *, ask: bool) -> str:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask))
        return text.removeprefix(bos) if bos else text

    try:
        form = _found(render)
        if form is None or any(form.text(chat) != render(chat, ask=True) for chat in _tried(form)):
            return None
    except (TemplateError, ValueError, LookupError):
        return None
    return form


def _found(render: Any) -> _Form | None:
    user, answer = {"role": "user", "content": _SAID}, {"role": "assistant", "content": _SAID}
    system = {"role": "system", "content": _SAID}
    three = render([user, answer, user], ask=False).split(_SAID)
    five = render([user, answer, user, answer, user], ask=False).split(_SAID)
    if len(three) != 4 or len(five) != 6:
        return None
    first, to_answer, to_user, end = three
    asked = render([user, answer, user], ask=True)
    ask = asked.removeprefix(render([user, answer, user], ask=False))
    # Where one role's mark ends and the next one's begins does not matter, as long as both are written right together.
    before_user = _common_end(first, to_user)
    after_answer = to_user.removesuffix(before_user)
    beginning = first.removesuffix(before_user)
    after_user = end
    if not to_answer.startswith(after_user):
        return None
    marks = {"user": (before_user, after_user), "assistant": (to_answer.removeprefix(after_user), after_answer)}
    default = None
    try:
        with_system = render([system, user], ask=False).split(_SAID)
    except Exception:  # noqa: BLE001 - a template may refuse by any error
        with_system = []
    if len(with_system) == 3 and with_system[1].endswith(before_user):
        start, between, _ = with_system
        plain = _common_start(start, beginning)
        after_system = between.removesuffix(before_user)
        before_system = start.removeprefix(plain)
        inner = beginning.removeprefix(plain)
        if inner.startswith(before_system) and inner.endswith(after_system) and inner != "":
            default = inner.removeprefix(before_system).removesuffix(after_system)
        elif inner:
            return None
        marks["system"], beginning = (before_system, after_system), plain
    return _Form(beginning, marks, ask, default)


def _tried(form: _Form) -> list[list[dict[str, str]]]:
    user, answer = {"role": "user", "content": " Wie geht's?\n"}, {"role": "assistant", "content": "Gut — 👍"}
    chats = [[user], [user, answer, user], [user, answer, user, answer, user]]
    if "system" in form.marks:
        chats += [[{"role": "system", "content": "Sei knapp."}, *chat] for chat in chats]
    return chats


def _in_go(form: _Form) -> str:
    parts = []
    for number, role in enumerate(role for role in _ROLES if role in form.marks):
        before, after = form.marks[role]
        branch = f'{{{{ {"if" if number == 0 else "else if"} eq .Role "{role}" }}}}'
        parts.append(f"{branch}{_literal(before)}{{{{ .Content }}}}{_literal(after)}")
    each = "".join(parts) + "{{ end }}"
    return f"{_literal(form.beginning)}{{{{ range .Messages }}}}{each}{{{{ end }}}}{_literal(form.ask)}"


def _literal(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def _stops(tokenizer: Any, form: _Form) -> list[str]:
    """The mark that an answer ends with, where it is a special token: the same that generation stops at here."""
    special = set(tokenizer.all_special_tokens)
    after = form.marks["assistant"][1].strip()
    return [after] if after in special else []


def _common_end(one: str, other: str) -> str:
    length = 0
    while length < min(len(one), len(other)) and one[-1 - length] == other[-1 - length]:
        length += 1
    return one[len(one) - length :]


def _common_start(one: str, other: str) -> str:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]
