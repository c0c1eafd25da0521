"""From what a person asked for to a run directory that a worker can start from; the server and the command line alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from backend import files
from backend.datasets.store import Datasets
from backend.errors import InvalidFieldError, NotFoundError
from backend.models.catalog import Catalog
from backend.schemas.system import Device
from backend.system.devices import candidates
from worker.contract import (
    DEFAULT_MAX_LENGTH,
    JOB_FILE,
    DatasetSource,
    Job,
    MixedDataset,
    ModelSource,
    Reading,
    RunConfig,
    RunOrigin,
    learning_rate,
    mixed_share,
)


class Plan(NamedTuple):
    """A configuration whose every reference was found and whose open values are filled in."""

    config: RunConfig
    model: ModelSource
    dataset: DatasetSource
    validation: DatasetSource | None
    mixture: dict[str, MixedDataset]
    evaluation: dict[str, DatasetSource]
    name: str
    origin: RunOrigin | None = None

    def job(self, run_id: str = "", device: str = "auto") -> Job:
        """What a worker is given."""
        parts = {"config": self.config, "model": self.model, "dataset": self.dataset, "validation": self.validation}
        more = {"mixture": self.mixture, "evaluation": self.evaluation, "origin": self.origin}
        return Job(run_id=run_id, device=device, **parts, **more)

    def check(self) -> None:
        """Raises InvalidFieldError if the data or the model has been deleted since the plan was made."""
        mixed = (("mixture", part.source) for part in self.mixture.values())
        further = (("evaluation_datasets", source) for source in self.evaluation.values())
        for field, source in (("dataset", self.dataset), ("validation_dataset", self.validation), *mixed, *further):
            if source and not Path(source.path).exists():
                raise InvalidFieldError(field, "This dataset has just been deleted.", hint="Choose another one.")
        loaded = self.config.method == "lora" or not (self.origin and self.origin.state == "exact")
        if loaded and self.model.kind in ("folder", "gguf") and not Path(self.model.location).exists():
            raise InvalidFieldError("model_name", "This model has just been deleted.", hint="Choose another one.")


def plan(
    config: RunConfig,
    catalog: Catalog,
    datasets: Datasets,
    devices: list[Device],
    *,
    files: dict[str, DatasetSource] | None = None,
    reading: Reading | None = None,
) -> Plan:
    """Find what a configuration names and fill in what it leaves open.

    ``files``: those that the configuration names by their path, instead of a dataset; ``reading``: read the dataset so, and
    not as it is set to.

    Raises InvalidFieldError, naming the field.
    """
    check_machine(config, devices)
    files = files or {}
    dataset, dataset_name = _dataset("dataset", config.dataset, datasets, files, reading)
    shares = dict(map(mixed_share, config.mixture))
    mixed = _others("mixture", shares, datasets, files, [dataset.path], (), "is the dataset itself")
    learned = [dataset.path, *(source.path for source in mixed.values())]
    validation, validation_name = None, None
    if config.validation_dataset:
        validation, validation_name = _dataset("validation_dataset", config.validation_dataset, datasets, files)
        if validation.path in learned:
            raise InvalidFieldError(
                "validation_dataset",
                "A model cannot be tested on what it has learned: this is the dataset itself, or one that is mixed with it.",
                hint="Choose another one, or leave it empty and let Validation split keep a part aside.",
            )
    evaluation = further_datasets(config, datasets, learned, mixed, files)
    model_name = config.model_name if "model_name" in config.model_fields_set else catalog.default()
    model, context = catalog.resolve(model_name)
    if context is not None and config.max_length is not None and config.max_length > context:
        raise InvalidFieldError(
            "max_length",
            f"Max length must be at most {context} for {model_name}; you gave {config.max_length}.",
            hint="A model cannot read further than it was built for. Leave it empty to use the most that is sensible.",
        )
    filled = config.model_copy(
        update={
            "model_name": model_name,
            "dataset": dataset_name,
            "validation_dataset": validation_name,
            "learning_rate": learning_rate(config, model),
            "max_length": config.max_length or (min(DEFAULT_MAX_LENGTH, context) if context else None),
        }
    )
    pairs = zip(mixed.items(), shares.values(), strict=True)
    mixture = {name: MixedDataset(source=source, share=share) for (name, source), share in pairs}
    return Plan(filled, model, dataset, validation, mixture, evaluation, config.name or f"{model_name} on {dataset_name}")


def check_machine(config: RunConfig, devices: list[Device]) -> None:
    """Raises InvalidFieldError if the run asks for what this machine has not, or for what its own settings leave no room."""
    if not candidates(config.device, [device.id for device in devices]):
        known = ", ".join(device.id for device in devices)
        raise InvalidFieldError(
            "device", f"This machine has no device {config.device!r}.", hint=f"It has: {known}. Or use auto."
        )
    _check_count(config, [device.id for device in devices])
    if config.early_stopping_patience and not (config.validation_split or config.validation_dataset):
        raise InvalidFieldError(
            "early_stopping_patience",
            "Early stopping needs a validation loss, and Validation split is 0.",
            hint="Set Validation split to 0.1, or leave Early stopping empty.",
        )


def datasets_of(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """All datasets that a RunConfig, or one kept as JSON, names: the field, and the dataset."""
    yield "dataset", config["dataset"]
    if validation := config.get("validation_dataset"):
        yield "validation_dataset", validation
    yield from (("mixture", mixed_share(entry)[0]) for entry in config.get("mixture", []))
    yield from (("evaluation_datasets", name) for name in config.get("evaluation_datasets", []))


def _dataset(
    field: str, name: str, datasets: Datasets, files: dict[str, DatasetSource], reading: Reading | None = None
) -> tuple[DatasetSource, str]:
    """What ``field`` names, if it is not one of ``files``, and what it is called. Raises InvalidFieldError."""
    if file := files.get(name):
        return file, Path(file.path).name
    try:
        return datasets.source(name, reading), datasets.get(name).id
    except NotFoundError as error:
        raise InvalidFieldError(field, error.detail.message, hint="Upload a file first, or use sample.") from error


def further_datasets(
    config: RunConfig,
    datasets: Datasets,
    learned: Collection[str],
    taken: Collection[str],
    files: dict[str, DatasetSource] | None = None,
) -> dict[str, DatasetSource]:
    """Those to evaluate on besides, given the paths of what is ``learned`` and names that are ``taken``. Raises
    InvalidFieldError."""
    wanted = config.evaluation_datasets
    return _others("evaluation_datasets", wanted, datasets, files or {}, learned, taken, "is learned from")


def _others(
    field: str,
    wanted: Iterable[str],
    datasets: Datasets,
    files: dict[str, DatasetSource],
    used: Collection[str],
    taken: Collection[str],
    is_used: str,
) -> dict[str, DatasetSource]:
    """The datasets that ``field`` names, each once, by names that differ from each other and from those ``taken``.

    Raises InvalidFieldError: one whose path is in ``used`` ``is_used``, as a person is told.
    """
    found = dict[str, DatasetSource]()
    for one in wanted:
        source, _ = _dataset(field, one, datasets, files)
        if source.path in {*used, *(other.path for other in found.values())}:
            raise InvalidFieldError(field, f"{one} {is_used}, or stands there twice.", hint="Name each other dataset once.")
        found[_name(one, datasets, files, {*found, *taken})] = source
    return found


def _name(wanted: str, datasets: Datasets, files: Collection[str], taken: Collection[str]) -> str:
    """What people know a dataset by, and with what they asked for where another one is called so."""
    name = Path(wanted).name if wanted in files else datasets.get(wanted).name
    name = re.sub(r'[\s,"]+', " ", name)  # a series' key, and the head of a column
    return f"{name} ({wanted})" if name in taken else name


def _check_count(config: RunConfig, devices: list[str]) -> None:
    """Raises InvalidFieldError if the run asks for more GPUs than there are, or for several of what comes singly."""
    if config.devices == 1 or config.device == "cpu":
        return
    if config.device not in ("auto", "cuda"):
        raise InvalidFieldError(
            "devices", f"Several GPUs cannot be used with Device {config.device}.", hint="Set Device to auto, or GPUs to 1."
        )
    count = len(candidates("cuda", devices))
    if config.devices > count:
        has = {0: "no GPU that can share a run", 1: "1 GPU"}.get(count, f"{count} GPUs")
        raise InvalidFieldError(
            "devices", f"This machine has {has}; you asked for {config.devices}.", hint="Set GPUs to what it has."
        )


def write_job(directory: Path, job: Job) -> None:
    """Write config.json, whole or not at all."""
    files.write_whole(directory / JOB_FILE, job.model_dump_json(indent=2))


def read_job(directory: Path) -> Job:
    """Raises OSError or pydantic's ValidationError."""
    return Job.model_validate_json((directory / JOB_FILE).read_bytes())
