"""What the names of an evaluation's models and datasets stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.datasets.store import Datasets
from backend.db.database import Database
from backend.errors import InvalidFieldError, NotFoundError
from backend.models.catalog import Catalog, Resolved
from backend.runs import lifecycle
from backend.runs.jobs import read_job
from backend.schemas.evaluations import Named
from worker.contract import Job

_OF_RUN = "run:"


class Sources:
    def __init__(self, catalog: Catalog, datasets: Datasets, database: Database, runs_dir: Path) -> None:
        self._catalog, self._datasets, self._database, self._runs_dir = catalog, datasets, database, runs_dir

    def model(self, name: str) -> Resolved:
        """Raises InvalidFieldError for ``models``."""
        found = self._catalog.resolve(name, field="models")
        if found.source.kind == "built_in":
            raise InvalidFieldError("models", f"{name} knows nothing yet.", hint="Train it, then evaluate the run's model.")
        return found

    def model_name(self, model: str) -> Named:
        """What people know it by."""
        run_id, _, checkpoint = model.removeprefix(_OF_RUN).partition("@")
        name = self._run_name(run_id) if model.startswith(_OF_RUN) else None
        return Named(id=model, name=", ".join(filter(None, (name or model, checkpoint if name else ""))))

    def dataset_name(self, dataset: str) -> Named:
        """Raises InvalidFieldError for ``datasets`` if there is none to evaluate on."""
        self.evaluated_set(dataset)
        if dataset.startswith(_OF_RUN):
            return Named(id=dataset, name=f"Validation split of {self._run_name(dataset.removeprefix(_OF_RUN))}")
        return Named(id=dataset, name=self._datasets.get(dataset).name)

    def evaluated_set(self, dataset: str) -> dict[str, Any]:
        """As ``worker.evaluations`` takes it. Raises InvalidFieldError for ``datasets``."""
        if dataset.startswith(_OF_RUN):
            return self._of_run(dataset)
        try:
            return {"id": dataset, "source": self._datasets.source(dataset).model_dump(mode="json")}
        except NotFoundError as error:
            raise InvalidFieldError("datasets", error.detail.message, hint=error.detail.hint) from None

    def _of_run(self, dataset: str) -> dict[str, Any]:
        run_id = dataset.removeprefix(_OF_RUN)
        try:
            with self._database.read() as connection:
                row = lifecycle.row(connection, run_id)
            job: Job = read_job(self._runs_dir / row.id)
        except (NotFoundError, OSError, ValidationError):
            hint = "Copy its id from the address of its page."
            raise InvalidFieldError("datasets", f"There is no run {run_id[:60]!r}.", hint=hint) from None
        if not job.is_evaluated:
            raise InvalidFieldError(
                "datasets", f"The run {row.name} keeps nothing aside to test on.", hint="Choose a dataset."
            )
        read = job.validation or job.dataset
        if not Path(read.path).exists():
            raise InvalidFieldError("datasets", f"The dataset of the run {row.name} has been deleted.")
        return {"id": dataset, "job": job.model_dump(mode="json"), "precision": row.precision or "fp32"}

    def _run_name(self, run_id: str) -> str | None:
        try:
            with self._database.read() as connection:
                name: str = lifecycle.row(connection, run_id).name
                return name
        except NotFoundError:
            return None
