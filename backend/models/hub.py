"""Models of the Hugging Face hub: what is in the cache of this machine, and what could be had.

huggingface_hub is imported where it is used, for its client weighs several megabytes that most servers never need.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from backend.errors import InvalidFieldError
from worker.contract import WEIGHTS_FILE, WEIGHTS_INDEX_FILE, is_whole

TIMEOUT_S = 5


class CachedModel(NamedTuple):
    """A model whose configuration and weights are in the cache, all of them; ``folder`` is the snapshot."""

    id: str
    folder: Path


def cached() -> Iterator[CachedModel]:
    """The usable models in the cache."""
    for folder in sorted(_cache().glob("models--*")):
        model_id = "/".join(folder.name.split("--")[1:])
        found = find_cached(model_id)
        if found:
            yield found


def find_cached(model_id: str) -> CachedModel | None:
    """A model of the cache that is whole enough to load."""
    folder = _cache() / f"models--{model_id.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    snapshot = folder / "snapshots" / revision
    return CachedModel(model_id, snapshot) if is_whole(snapshot) else None


def find_model(model_id: str) -> dict[str, Any]:
    """The config.json of a model in the cache or on the hub, whose weights can be had too.

    Raises InvalidFieldError for ``model_name``: not there, no safetensors, not allowed, or no connection.
    """
    known = find_cached(model_id)
    if known:
        return _read(known.folder / "config.json")
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub import errors as hub_errors

    try:
        # Asked for first: a model with a configuration but no usable weights would only fail later, in the worker.
        info = HfApi().model_info(model_id, timeout=TIMEOUT_S)
        files = [sibling.rfilename for sibling in info.siblings or []]
        if not {WEIGHTS_FILE, WEIGHTS_INDEX_FILE} & set(files):
            raise InvalidFieldError(
                "model_name",
                f"{model_id} has no weights in the safetensors format.",
                hint="Other formats can run code when loaded, so they are never used. Choose another model.",
            )
        return _read(Path(hf_hub_download(model_id, "config.json", etag_timeout=TIMEOUT_S)))
    except hub_errors.GatedRepoError as error:
        raise InvalidFieldError(
            "model_name",
            f"{model_id} needs its owner's permission.",
            hint="Accept its terms on its page on the hub, set HF_TOKEN for the server, and try again.",
        ) from error
    except (hub_errors.RepositoryNotFoundError, hub_errors.EntryNotFoundError, hub_errors.HFValidationError) as error:
        raise InvalidFieldError(
            "model_name",
            f"There is no language model called {model_id!r}, neither here nor on the Hugging Face hub.",
            hint="Check the spelling, or choose one of the models in the list. tiny and mini are always there.",
        ) from error
    except InvalidFieldError:
        raise
    except Exception as error:  # the hub's client lets its transport's errors through, and these differ by version
        raise InvalidFieldError(
            "model_name",
            f"{model_id!r} is not on this machine, and the Hugging Face hub cannot be reached to fetch it.",
            hint="Connect to the network and try again, or choose tiny or mini, which need none.",
        ) from error


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _read(path: Path) -> dict[str, Any]:
    """A configuration; an empty one if it is damaged, for the worker will say what is wrong with it."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}
