"""What can be set from outside: TRAINBOARD_HOST, TRAINBOARD_PORT and so on, or the same flags of ``trainboard serve``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the packages backend, worker and frontend: a checkout, or site-packages."""


def default_data_dir() -> Path:
    """``data`` in a checkout, so that all of it lies in one place; else where the platform keeps a user's data."""
    if (ROOT / "pyproject.toml").is_file():
        return ROOT / "data"
    return Path(platformdirs.user_data_dir("trainboard", appauthor=False))


class Settings(BaseSettings):
    """Where the server listens and what it keeps where. Sizes are in bytes."""

    model_config = SettingsConfigDict(env_prefix="TRAINBOARD_", env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on. Beyond this machine a token is required.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of everything: runs, datasets, models and the database.",
        json_schema_extra={"shown": "./data in a checkout, else the user's data folder"},
    )
    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL of an SQLite database elsewhere.",
        json_schema_extra={"shown": "trainboard.db in the data folder"},
    )
    token: SecretStr | None = Field(
        None,
        description="Secret that every request must carry.",
        json_schema_extra={"shown": "none; made up when listening beyond this machine"},
    )
    webhook_url: SecretStr | None = Field(
        None,
        description="Address that is sent a POST with JSON when a run has ended.",
        json_schema_extra={"shown": "none"},
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Key of the signature in X-Trainboard-Signature: HMAC-SHA256 of the body.",
        json_schema_extra={"shown": "none; unsigned"},
    )
    max_upload_bytes: int = Field(16 << 30, ge=1, description="Largest dataset file that is accepted.")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        """Workers run in another folder, so every path handed to them is absolute."""
        return path.expanduser().resolve()

    @field_validator("database_url")
    @classmethod
    def _sqlite(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("sqlite:///"):
            raise ValueError("only SQLite is supported, such as sqlite:////var/lib/trainboard/trainboard.db")
        return url

    @field_validator("webhook_url")
    @classmethod
    def _web_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _is_web_address(url.get_secret_value()):
            raise PydanticCustomError("web_address", "must begin with http:// or https:// and name a host")
        return url

    @property
    def runs_dir(self) -> Path:
        return self.data_dir / "runs"

    @property
    def datasets_dir(self) -> Path:
        return self.data_dir / "datasets"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def votes_file(self) -> Path:
        return self.data_dir / "votes.jsonl"

    @property
    def shares_dir(self) -> Path:
        return self.data_dir / "shares"

    @property
    def database(self) -> str:
        """The database's URL for SQLAlchemy."""
        return self.database_url or f"sqlite:///{self.data_dir / 'trainboard.db'}"


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        return False
