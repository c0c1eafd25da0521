"""Fetches a model from the Hugging Face hub into its cache. HF_ENDPOINT, HF_HOME and HF_TOKEN are honoured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from tqdm import tqdm

from worker.contract import WEIGHTS_FILE, WEIGHTS_INDEX_FILE, describes, is_whole, weight_files
from worker.errors import ModelError

Watch = Callable[[int, int], None]
"""Is told a few times a second how many bytes have come and how many there will be, and may raise."""

_SECONDS_BETWEEN_LOOKS = 0.25
_TIMEOUT_S = 15


def fetch_model(repository: str, *, weights: bool = True, watch: Watch | None = None) -> str:
    """The folder of the model's files, downloaded where the cache lacks them. Without the hub the cache must do.

    Of the weights only the files that transformers would load are fetched; without ``weights``, only what tells of its
    design and its tokenizer. What ``watch`` raises ends the download, also one that hangs.

    transformers could load by id itself, but asks the hub for each file it might need and, without a network, tries
    each one again for half a minute. Raises ModelError, saying which of these it was.
    """
    if watch is None:
        return _fetch(repository, weights, _Count())
    count, done = _Count(), Future[str]()

    def work() -> None:
        try:
            done.set_result(_fetch(repository, weights, count))
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            done.set_exception(error)

    # A daemon, which nobody waits for: a read from a connection that hangs cannot be ended.
    threading.Thread(target=work, daemon=True).start()
    while not wait([done], timeout=_SECONDS_BETWEEN_LOOKS).done:
        watch(count.bytes, count.total)
    return done.result()


class _Count:
    """Bytes that have come, of those that will."""

    def __init__(self) -> None:
        self.bytes = 0
        self.total = 0

    def add(self, number: int) -> None:
        self.bytes += number


def counting_bar(add: Callable[[int], None]) -> type[tqdm[Any]]:
    """What the hub's client takes for its progress bar: hands bytes to ``add`` as they come, fewer than none where a part
    has to be fetched again. Nothing is drawn."""

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            add(int(n or 0))

        def update_transfer(self, n: float | None = 1) -> None:
            """Bytes on the wire, which are counted again once they are on the disk."""

        def set_transfer_postfix_str(self, *arguments: Any, **options: Any) -> None:
            """Not drawn either."""

    return Bar


def _fetch(repository: str, weights: bool, count: _Count) -> str:
    try:
        info = HfApi().model_info(repository, timeout=_TIMEOUT_S, files_metadata=True)
    except GatedRepoError:
        raise ModelError(
            f"{repository} is only given to people who accepted its terms.",
            "Accept them on the model's page and set HF_TOKEN for the server.",
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"The hub has no model {repository}, or it is private.",
            "Check the name. A private model needs HF_TOKEN set for the server.",
        ) from None
    except Exception as error:  # noqa: BLE001 - the client lets its transport's errors through, and these differ by version
        return _from_cache(repository, weights, error)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    try:
        return str(_download(repository, info.sha, sizes, weights, count))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"{repository} could not be downloaded: {error}", "Check the connection and the free disk space, and try again."
        ) from error


def _download(repository: str, revision: str | None, sizes: dict[str, int], weights: bool, count: _Count) -> Path:
    """The folder with this ``revision`` of the files that are needed, of those in ``sizes``, their bytes by name."""
    if "config.json" not in sizes:
        raise ModelError(f"{repository} has no config.json, so transformers cannot load it.", "Choose another model.")
    # Asked for without a revision, so that the cache learns which one is the latest.
    folder = Path(hf_hub_download(repository, "config.json")).parent
    description = [file for file in sizes if "/" not in file and describes(file)]
    bar = counting_bar(count.add)

    def get(files: Collection[str]) -> None:
        lacking = [
            file for file in files if not isinstance(try_to_load_from_cache(repository, file, revision=revision), str)
        ]
        count.total += sum(sizes[file] for file in lacking)
        for file in lacking:
            hf_hub_download(repository, file, revision=revision, tqdm_class=bar)

    get(description)
    if weights:
        get(_weights(repository, folder, sizes))
    return folder


def _weights(repository: str, folder: Path, sizes: Collection[str]) -> list[str]:
    """The names of the weights' files; the index, where there is one, is in ``folder`` then."""
    if WEIGHTS_FILE in sizes:
        return [WEIGHTS_FILE]
    if WEIGHTS_INDEX_FILE not in sizes:
        raise ModelError(
            f"{repository} has no weights in the safetensors format under the names that transformers knows.",
            f"It needs {WEIGHTS_FILE}, or {WEIGHTS_INDEX_FILE} and the files that it names. Choose another model.",
        )
    hf_hub_download(repository, WEIGHTS_INDEX_FILE, revision=folder.name)
    files = weight_files(folder)
    if missing := sorted(set(files) - set(sizes)):
        raise ModelError(f"{repository} lacks {missing[0]}, which its {WEIGHTS_INDEX_FILE} names.", "Choose another model.")
    return files


def _from_cache(repository: str, weights: bool, error: Exception) -> str:
    """The folder in the cache, as the hub did not answer. Raises ModelError if it is not there, or not whole."""
    config = try_to_load_from_cache(repository, "config.json")
    folder = Path(config).parent if isinstance(config, str) else None
    if folder and (is_whole(folder) or not weights):
        return str(folder)
    there = "only in part on this machine" if folder else "not on this machine yet"
    raise ModelError(
        f"The hub cannot be reached, and {repository} is {there}.",
        "Check the connection, or start from tiny or mini, which need none.",
    ) from error
