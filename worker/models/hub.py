"""Fetches a model from the Hugging Face hub into its cache. HF_ENDPOINT, HF_HOME and HF_TOKEN are honoured."""

from __future__ import annotations

from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

from worker.errors import ModelError

_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]  # no pickles, no code
_UNWANTED = ["*/*"]  # other formats of the same weights


def fetch_model(repository: str, *, weights: bool = True) -> str:
    """The folder of the model's files, downloaded where the cache lacks them. Without the hub the cache must do.

    Without ``weights`` only what tells of its design and its tokenizer is asked for.

    transformers could load by id itself, but asks the hub for each file it might need and, without a network, tries
    each one again for half a minute. Raises ModelError, saying which of these it was.
    """
    try:
        unwanted = _UNWANTED if weights else [*_UNWANTED, "*.safetensors"]
        return snapshot_download(repository, allow_patterns=_WANTED, ignore_patterns=unwanted)
    except GatedRepoError:
        reason = f"{repository} is only given to people who accepted its terms."
        hint = "Accept them on the model's page and set HF_TOKEN for the server."
    except RepositoryNotFoundError:
        reason = f"The hub has no model {repository}, or it is private."
        hint = "Check the name. A private model needs HF_TOKEN set for the server."
    except LocalEntryNotFoundError:
        reason = f"The hub cannot be reached, and {repository} is not on this machine yet."
        hint = "Check the connection, or start from tiny or mini, which need none."
    except Exception as error:  # noqa: BLE001 - the client lets its transport's errors through, and these differ by version
        reason = f"{repository} could not be downloaded: {error}"
        hint = "Check the connection and the free disk space, and try again."
    raise ModelError(reason, hint)
