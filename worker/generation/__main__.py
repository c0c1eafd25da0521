"""``python -m worker.generation``: the process that answers prompts, so that the server never loads torch.

The protocol is that of ``worker.protocol``, but that requests are answered side by side:

    {"id": 1, "op": "generate", "model": {"kind", "location"}, "prompt": "...", ...}    as Request has it
    {"id": 2, "op": "free"}                                 forgets the models that write nothing

    {"id": 1, "event": "loading", "data": {"bytes"?, "total"?}}    only where the model is not in memory yet
    {"id": 1, "event": "prompt", "data": {"tokens": [...]}}    if it is to be echoed: each as below
    {"id": 1, "event": "token", "data": {"text", "id", "logprob"?, "token"?, "top_logprobs"?: [{"token", "logprob"}]}}
    {"id": 1, "event": "done", "data": {"text", "prompt_tokens", "truncated_tokens", "completion_tokens",
        "tokens_per_s", "finish_reason", "stop_string"}}

    {"id": null, "event": "state", "data": {"models": [...], "loading": [...]}}    when it changes; as Engine.state has it

``truncated_tokens`` of the prompt's beginning were left out, as the model's context has no room for them.
``scoring.py`` has what the op ``score`` takes and answers.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from worker.protocol import Reply, answering, open_channel


class _State:
    """Tells what the process holds when that has changed."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._told: dict[str, Any] = {}

    def tell(self, state: dict[str, Any]) -> None:
        if state != self._told:
            self._reply.send("state", **state)
            self._told = state


def main() -> int:
    """Answers requests until standard input ends, or nobody reads the answers any more."""
    inbox, out = open_channel()
    from worker.generation.engine import Engine  # loads torch, which takes seconds
    from worker.generation.text_request import Request, ScoreRequest

    engine, state = Engine(inbox.wake), _State(Reply(None, inbox, out))
    with suppress(BrokenPipeError):
        while not inbox.ended:
            for message in inbox.take(wait=not engine.busy):
                reply = Reply(message["id"], inbox, out)
                with answering(reply):
                    if message["op"] == "free":
                        engine.free()
                        state.tell(engine.state())  # before whoever asked can look at it
                        reply.send("done")
                    else:
                        kind = ScoreRequest if message["op"] == "score" else Request
                        engine.begin(kind.model_validate(message), reply)
            engine.step()
            state.tell(engine.state())
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
