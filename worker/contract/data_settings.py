"""Which model learns from which data. Imported through ``worker.contract``, as a part of RunConfig."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from worker.contract.setting import Settings, setting


def mixed_share(entry: str) -> tuple[str, float]:
    """An entry of ``mixture``, such as chats=0.2, as the dataset and its share. Raises ValueError."""
    name, _, text = entry.rpartition("=")
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not name.strip() or not 0 < share < 1:
        raise ValueError(f"{entry!r} must be a dataset, = and a share between 0 and 1, such as chats=0.2")
    return name.strip(), share


class DataSettings(Settings):
    """The model, the data and the split."""

    name: str | None = setting(
        None,
        "What this run is called on the board. Made from the model and the data if left empty.",
        label="Name",
        group="essentials",
        max_length=120,
    )
    model_name: str = setting(
        "tiny",
        "The model to start from: tiny or mini (built in), a Hugging Face id, local:NAME, or run:ID.",
        label="Model",
        group="essentials",
        advice="Starting from a trained model is easier than starting from nothing, but needs that model on this machine.",
        min_length=1,
        max_length=200,
    )
    from_scratch: bool = setting(
        False,
        "Keep the model's design but throw its learned weights away and start from random ones.",
        label="Start from random weights",
        group="essentials",
    )
    dataset: str = setting(
        "sample",
        "The text to learn from: the built-in sample, or a file you uploaded.",
        label="Dataset",
        group="essentials",
        advice="A thousand examples or more make the result worth having.",
        min_length=1,
        max_length=200,
    )
    mixture: list[Annotated[str, Field(min_length=1, max_length=200)]] = setting(
        [],
        "Datasets to learn along with it, each with its share of all tokens that are learned.",
        label="Mixed with",
        group="essentials",
        advice="As text ID=SHARE: with chats=0.2 a fifth is from chats. The dataset, whole in each epoch, is the rest.",
        max_length=8,
    )
    validation_split: float = setting(
        0.1,
        "Share of the examples kept aside as a practice test: the model is measured on them and never learns from them.",
        label="Validation split",
        group="essentials",
        advice="0 switches the test off, and with it the best way to notice overfitting.",
        ge=0,
        le=0.5,
    )
    validation_dataset: str | None = setting(
        None,
        "A dataset to test on, instead of a part of the one that is learned. Empty: Validation split decides.",
        label="Validation dataset",
        group="essentials",
        min_length=1,
        max_length=200,
    )
    evaluation_datasets: list[Annotated[str, Field(min_length=1, max_length=200)]] = setting(
        [],
        "Further datasets to evaluate on, by their ids. Each has a loss of its own.",
        label="Further evaluation datasets",
        group="evaluation",
        advice="Such as texts of another kind, to see what the model forgets. Early stopping does not follow them.",
        max_length=8,
    )
    split_by_group: bool = setting(
        False,
        "Keep examples that are nearly the same on one side of the split, so that the test holds nothing that was learned.",
        label="Keep near-duplicates together",
        group="essentials",
        advice="The dataset's page tells whether there are any. Off, an added line never moves another one across.",
    )
    skip_refused_rows: bool = setting(
        False,
        "Leave out conversations that the model's chat format does not take, instead of stopping at the first.",
        label="Skip refused rows",
        group="essentials",
        advice="Some formats want user and assistant in turn. How many rows were left out is said when the run begins.",
    )

    exclude_rows: list[Annotated[int, Field(ge=1, le=2**53)]] = setting(
        [],
        "Rows of the dataset to leave out, by their numbers as its page shows them, one a line.",
        label="Rows left out",
        group="essentials",
        advice="The dataset's page lists the rows that a run found hardest, and starts a run without those you choose.",
        max_length=1000,
    )

    @field_validator("mixture")
    @classmethod
    def _shares(cls, value: list[str]) -> list[str]:
        """Each has a share, and something is left for the dataset itself."""
        found = [mixed_share(entry) for entry in value]
        if len({name for name, _ in found}) < len(found):
            raise ValueError("each dataset can stand there once")
        if sum(share for _, share in found) >= 1:
            raise ValueError("the shares must come to less than 1: the rest is the dataset's own")
        return value

    @field_validator("name", "model_name", "dataset", "validation_dataset")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        """Names are shown and logged on one line; surrounding blanks are never meant."""
        if value is None:
            return None
        value = value.strip()
        if not value.isprintable():
            raise ValueError("must be one line of printable characters")
        return value
