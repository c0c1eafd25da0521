"""Puts an export's folder into a repository of the Hugging Face hub, in a process of its own.

The protocol is that of ``worker.protocol``. The token comes in the request, or from the environment's HF_TOKEN, and is
neither kept nor told to anyone but the hub. HF_ENDPOINT is honoured.

    {"id": 1, "op": "push", "folder", "files", "repository", "private", "token"}

    {"id": 1, "event": "progress", "data": {"text"}}
    {"id": 1, "event": "done", "data": {"url"}}
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from worker.errors import DataError
from worker.protocol import Reply, serve

_TOKEN = "Set HF_TOKEN for the server, or give a token that may write to it."


def _push(message: dict[str, Any], reply: Reply) -> None:
    """Answers one request. Raises DataError, saying what the hub objects to."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    name, folder = message["repository"], Path(message["folder"])
    hub = HfApi(token=message["token"] or None)
    try:
        reply.send("progress", text=f"Opening {name} on the hub.")
        made = hub.create_repo(name, private=message["private"], exist_ok=True)
        files = [CommitOperationAdd(file, folder / file) for file in message["files"]]
        reply.send("progress", text=f"Uploading {len(files)} files.")
        hub.create_commit(made.repo_id, files, commit_message="Exported by Trainboard")
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            raise DataError(f"The hub does not let this token write to {name}.", _TOKEN) from None
        raise DataError(f"The hub refused: {_first_line(error)}", "Check the name of the repository.") from None
    except Exception as error:  # the client lets its transport's errors through, and these differ by version
        reason = f"The hub could not be reached: {_first_line(error)}"
        raise DataError(reason, "Check the network, and try again.") from error
    reply.send("done", url=str(made))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


if __name__ == "__main__":
    sys.exit(serve(_push))
