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
    trims: bool = False
    """Whether the model's template takes away blanks around what is said, which Ollama's cannot."""

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
    trims = "Ollama keeps blanks around a message, which the model's own chat template takes away; else both write the same."
    return "\n".join(lines) + "\n", trims if form.trims else None


def _form_of(tokenizer: Any, adds_bos: bool) -> _Form | None:
    """The form of the tokenizer's template, or None if it is not a regular one."""
    from jinja2 import TemplateError

    bos = tokenizer.bos_token if adds_bos else ""

    def render(messages: list[dict[str, str]], *, ask: bool) -> str:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask))
        return text.removeprefix(bos) if bos else text

    try:
        form = _found(render, tokenizer.bos_token or "")
        if form is None or '"""' in _in_go(form):
            return None
        for trims in (False, True):
            if all(form.text(chat) == render(chat, ask=True) for chat in _tried(form, trims)):
                return form._replace(trims=trims)
    except (TemplateError, TypeError, ValueError, LookupError):  # whatever a template stumbles over
        pass
    return None


def _found(render: Any, bos: str) -> _Form | None:
    """What stands around what each role says. ``bos``: the mark of a text's beginning that a template may write."""
    user, answer = {"role": "user", "content": _SAID}, {"role": "assistant", "content": _SAID}
    three = render([user, answer, user], ask=False).split(_SAID)
    if len(three) != 4:
        return None
    first, to_answer, to_user, end = three
    asked = render([user, answer, user], ask=True)
    ask = asked.removeprefix(render([user, answer, user], ask=False))
    after_user, after_answer = end, render([user, answer], ask=False).split(_SAID)[-1]
    before_user = to_user.removeprefix(after_answer)
    if not (to_answer.startswith(after_user) and to_user.startswith(after_answer) and first.endswith(before_user)):
        return None
    beginning = first.removesuffix(before_user)
    marks = {"user": (before_user, after_user), "assistant": (to_answer.removeprefix(after_user), after_answer)}
    default = None
    if (parts := _with_system(render, user)) and parts[1].endswith(before_user):
        # Some templates begin all texts with a mark, and some say something where there is no such message.
        after = parts[1].removesuffix(before_user)
        for plain in ("", bos):
            before, inner = parts[0].removeprefix(plain), beginning.removeprefix(plain)
            said = inner.startswith(before) and inner.endswith(after)
            if not inner or said:
                default = inner.removeprefix(before).removesuffix(after) if inner else None
                marks["system"], beginning = (before, after), plain if beginning.startswith(plain) else ""
                break
        else:
            return None
    return _Form(beginning, marks, ask, default)


def _with_system(render: Any, user: dict[str, str]) -> list[str] | None:
    """What stands around what system and user say; None of a template that takes no system."""
    from jinja2 import TemplateError

    try:
        parts = render([{"role": "system", "content": _SAID}, user], ask=False).split(_SAID)
    except TemplateError:
        return None
    return parts if len(parts) == 3 else None


def _tried(form: _Form, trimmed: bool) -> list[list[dict[str, str]]]:
    asked = "Wie geht's?" if trimmed else " Wie geht's?\n"
    user, answer = {"role": "user", "content": asked}, {"role": "assistant", "content": "Gut — 👍"}
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
