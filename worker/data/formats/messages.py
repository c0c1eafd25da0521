"""Conversations as people have them: OpenAI's form, ShareGPT's, and prompts with their answers, all as one Chat."""

from __future__ import annotations

import json
from typing import Any

from worker.contract import Reading
from worker.data.formats.cells import encodable, is_empty, text_of, value_of
from worker.data.formats.rows import Chat, Message
from worker.errors import DataError

ROLES = ("system", "user", "assistant", "tool")
_ROLE_NAMES = {
    **{role: role for role in ROLES},
    "developer": "system",
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
}
_FORM = 'Each message needs {"role": ..., "content": ...}, or "from" and "value".'
_REASONING = ("reasoning_content", "reasoning", "thinking")
_LEARNED = ("weight", "train", "training")


def chat_of(record: dict[str, Any], reading: Reading, where: str) -> Chat | None:
    """The conversation that a record holds; None if it holds none. Raises DataError."""
    messages = messages_of(value_of(record, reading.messages, where), reading.messages, where)
    if reading.asked:
        asked = value_of(record, reading.asked, where, optional=True)
        messages = _prompted(asked, messages, reading.asked, where)
    if reading.system:
        system = text_of(record, reading.system, where, optional=True)
        if system.strip() and not (messages and messages[0].role == "system"):
            messages = (Message("system", system), *messages)
    tools = _tools(value_of(record, reading.tools, where, optional=True), where) if reading.tools else None
    return Chat(messages, tools) if messages else None


def messages_of(found: Any, column: str | None, where: str) -> tuple[Message, ...]:
    """The messages in a column's value: a list of objects, or JSON text of one. Raises DataError."""
    if isinstance(found, str) and found.strip():  # in a table's cell
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            raise DataError(
                f"{where} holds no messages in column {column!r}, but other text.", "Map another column."
            ) from None
    if is_empty(found):
        return ()
    if not isinstance(found, list):
        raise DataError(f"{where} holds no list of messages in column {column!r}.", "Map another column.")
    return tuple(_message(message, f"{where}, message {number},") for number, message in enumerate(found, 1))


def turns_before(found: Any, where: str) -> list[Message]:
    """What was said before, from a list of [question, answer] pairs or JSON text of one. Raises DataError."""
    if isinstance(found, str) and found.strip():
        found = _json(found, where)
    if is_empty(found):
        return []
    if not isinstance(found, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in found):
        raise DataError(f"{where} has a history that is no list of pairs.", 'It needs [["a question", "its answer"], ...].')
    said = [text for pair in found for text in pair]
    if not all(isinstance(text, str) for text in said):
        raise DataError(f"{where} has a history in which not all is text.", 'It needs [["a question", "its answer"], ...].')
    return [Message(ROLES[1 + place % 2], encodable(text, where)) for place, text in enumerate(said)]


def into_user(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """``messages`` with the system's at the beginning of what the user says first, or as the user's if that says nothing."""
    if not messages or messages[0].role != "system":
        return messages
    system, *rest = messages
    first = next((place for place, message in enumerate(rest) if message.role == "user"), None)
    if first is None:
        return (system._replace(role="user"), *rest)
    rest[first] = rest[first]._replace(content=f"{system.content}\n\n{rest[first].content}")
    return tuple(rest)


def is_message(value: Any) -> bool:
    """Whether ``value`` looks like a message: it says who speaks."""
    return isinstance(value, dict) and ("role" in value or "from" in value)


def _prompted(prompt: Any, messages: tuple[Message, ...], column: str, where: str) -> tuple[Message, ...]:
    """``messages`` after what they answer, of which nothing is learned; as they are if they begin with it themselves."""
    if isinstance(prompt, str) and not prompt.lstrip().startswith("[{"):
        before: tuple[Message, ...] = (Message("user", encodable(prompt, where)),) if prompt.strip() else ()
    else:
        before = messages_of(prompt, column, where)
    if messages[: len(before)] == before:
        return messages
    return (*(message._replace(learned=False) for message in before), *messages)


def _message(message: Any, where: str) -> Message:
    if not isinstance(message, dict):
        raise DataError(f"{where} is not an object.", _FORM)
    said = message.get("role", message.get("from"))
    if not isinstance(said, str) or said.lower() not in _ROLE_NAMES:
        keys = ", ".join(map(str, message))[:80]
        told = f"has the role {said!r}" if said is not None else f"has no role, but {keys}"
        raise DataError(f"{where} {told}.", f"Use one of: {', '.join(ROLES)}; ShareGPT's human, gpt, and others are known.")
    role = _ROLE_NAMES[said.lower()]
    content = _content(message.get("content", message.get("value")), where)
    calls = _calls(message, where)
    if said == "function_call" and content is not None:
        calls, content = _calls({"function_call": _json(content, where)}, where), None
    if content is None and not calls:
        raise DataError(f"{where} has no content that is text.", _FORM)
    learned = not any(message.get(name) in (0, False) for name in _LEARNED)
    return Message(role, content or "", learned, _extras(message, calls, where))


def _content(content: Any, where: str) -> str | None:
    """The text of a message; None if it has none."""
    if isinstance(content, list):
        kinds = [part.get("type") for part in content if isinstance(part, dict) and not isinstance(part.get("text"), str)]
        texts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, (dict, str))]
        if content and not any(isinstance(text, str) for text in texts):
            raise DataError(f"{where} holds {kinds[0] if kinds else 'parts'} and no text.", "Models here read text alone.")
        content = "".join(text for text in texts if isinstance(text, str))
    if is_empty(content) and not isinstance(content, str):
        return None
    if not isinstance(content, str):
        raise DataError(f"{where} has no content that is text.", _FORM)
    return encodable(content, where)


def _calls(message: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """The tool calls of a message, in OpenAI's form, with arguments as an object where they are one."""
    found = message.get("tool_calls") or []
    if isinstance(found, str):
        found = _json(found, where)
    if function := message.get("function_call"):
        found = [{"function": each} for each in (function if isinstance(function, list) else [function])]
    calls = []
    for call in found if isinstance(found, list) else [found]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise DataError(
                f"{where} has a tool call without a name.", 'It needs {"function": {"name": ..., "arguments": ...}}.'
            )
        arguments = function.get("arguments", function.get("parameters"))
        if isinstance(arguments, str):
            try:
                parsed = json.loads(arguments)
            except (ValueError, RecursionError):
                parsed = arguments
            arguments = parsed if isinstance(parsed, dict) else arguments
        own = {"name": function["name"], "arguments": {} if arguments is None else _whole(arguments)}
        calls.append({"type": "function", **({"id": call["id"]} if call.get("id") else {}), "function": own})
    return calls


def _whole(value: Any) -> Any:
    """``value`` without the keys that stand for nothing: Parquet gives each object all the keys that any of them has."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items() if inner is not None}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def _extras(message: dict[str, Any], calls: list[dict[str, Any]], where: str) -> dict[str, Any] | None:
    extras: dict[str, Any] = {}
    reasoning = next((message[name] for name in _REASONING if isinstance(message.get(name), str)), "")
    if reasoning.strip():
        extras["reasoning_content"] = encodable(reasoning, where)
    if calls:
        extras["tool_calls"] = calls
    for name in ("tool_call_id", "name"):
        if isinstance(message.get(name), str):
            extras[name] = encodable(message[name], where)
    return extras or None


def _tools(found: Any, where: str) -> list[Any] | None:
    """The definitions of the tools, in OpenAI's form; None if there are none."""
    if isinstance(found, str) and found.strip():
        found = _json(found, where)
    if is_empty(found):
        return None
    if not isinstance(found, list) or not all(isinstance(tool, dict) for tool in found):
        raise DataError(f"{where} has tools that are no list of objects.", 'It needs [{"type": "function", ...}].')
    return [_whole(tool if "function" in tool else {"type": "function", "function": tool}) for tool in found]


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} holds JSON that cannot be read: {error}.", "Mend it, or write it anew.") from None
