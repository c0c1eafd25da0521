"""``python -m worker.export``: makes one export and its proof, in a process of its own.

The protocol is that of ``worker.protocol``:

    {"id": 1, "op": "export", "order": ExportOrder}

    {"id": 1, "event": "progress", "data": {"text", "share"}}     share: of all, from 0 to 1
    {"id": 1, "event": "done", "data": Proof}
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.contract import (
    ADAPTER_DIR,
    CHECKPOINTS_DIR,
    JOB_FILE,
    MODEL_DIR,
    ExportOrder,
    Job,
    ModelSource,
    Proof,
    is_adapter,
)
from worker.errors import ModelError, StopRequested, WorkerError
from worker.protocol import Reply, serve

if TYPE_CHECKING:
    from worker.export.gguf_export import Made
    from worker.export.proof import Expected
    from worker.models.loading import LanguageModel

_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "q8_0": 1.07, "q4_k_m": 0.7}
GGUF_FILE = "model-{}.gguf"


def _answer(message: dict[str, Any], reply: Reply) -> None:
    """Answers one request. Raises WorkerError, StopRequested, or pydantic's ValidationError."""
    order = ExportOrder.model_validate(message["order"])

    def progress(text: str, share: float) -> None:
        if reply.is_cancelled():
            raise StopRequested
        reply.send("progress", text=text, share=round(share, 3))

    reply.send("done", **_Export(order, progress).make().model_dump())


@dataclass
class _Export:
    order: ExportOrder
    progress: Callable[[str, float], None]

    def make(self) -> Proof:
        """Writes the export into its folder, with what became of it elsewhere. Raises WorkerError or OSError."""
        job = Job.model_validate_json((Path(self.order.run_dir) / JOB_FILE).read_bytes())
        source, folder = self._source(), Path(self.order.folder)
        self.progress("Loading the model.", 0.0)
        from worker.export.readme import write_readme
        from worker.models.loading import load_model, quiet_libraries

        quiet_libraries()
        loaded = load_model(ModelSource(kind="folder", location=str(source)))
        loaded.model.eval()
        make = {"gguf": self._gguf, "adapter": self._adapter, "safetensors": self._folder}[self.order.format]
        proof = make(loaded, job, source, folder)
        write_readme(folder, source / "README.md", job, self.order, proof)
        return proof

    def _source(self) -> Path:
        """The folder of what is exported. Raises ModelError."""
        run_dir, checkpoint = Path(self.order.run_dir), self.order.checkpoint
        source = run_dir / CHECKPOINTS_DIR / checkpoint if checkpoint else run_dir / MODEL_DIR
        if self.order.format != "adapter":
            return source
        source = source if checkpoint else run_dir / ADAPTER_DIR
        if not is_adapter(source):
            raise ModelError("This run trained no adapter.", "Export the model as safetensors or GGUF.")
        return source

    def _folder(self, loaded: LanguageModel, job: Job, source: Path, folder: Path) -> Proof:
        from worker.export.plain_folder import DTYPES, faults_of_folder, write_plain_folder

        name = next(name for name, dtype in DTYPES.items() if dtype == loaded.dtype)
        number_format = name if self.order.number_format == "kept" else self.order.number_format
        self._require_room(loaded, folder, _BYTES[number_format])
        self.progress("Writing the weights.", 0.2)
        write_plain_folder(loaded, job, number_format, folder)
        faults = list(faults_of_folder(folder, loaded.model, DTYPES[number_format]))
        expected = self._expected(loaded, job, number_format)
        return self._asked_transformers("model", folder, expected, faults)

    def _adapter(self, loaded: LanguageModel, job: Job, source: Path, folder: Path) -> Proof:
        from worker.contract import base_of
        from worker.export.plain_folder import copy_adapter, standing_beside_its_base
        from worker.models.hub import fetch_model

        base = base_of(source)
        self.progress("Copying the adapter.", 0.2)
        told = copy_adapter(source, folder, job)
        expected = self._expected(loaded, job, "fp32")
        where = fetch_model(base.location) if base.kind == "hub" else base.location
        if base.kind == "gguf" or is_adapter(Path(where)):
            reason = "peft opens it only beside a base in a folder, and its base is a .gguf file or an adapter itself."
            return Proof(passed=None, problems=[reason], notes=[told] if told else [])
        with tempfile.TemporaryDirectory(prefix=".beside-", dir=folder) as beside:
            standing_beside_its_base(folder, where, Path(beside))
            proof = self._asked_transformers("adapter", Path(beside), expected, [])
        return proof.model_copy(update={"notes": [told] if told else []})

    def _asked_transformers(self, kind: str, folder: Path, expected: Expected, faults: list[str]) -> Proof:
        import transformers

        from worker.export.proof import ask_program, judge

        self.progress("Opening it with transformers, in a fresh process.", 0.6)
        answers = ask_program("plain_transformers", [kind, str(folder)], expected, folder, lambda _: None)
        name = f"{'peft and ' if kind == 'adapter' else ''}transformers {transformers.__version__}"
        return judge(expected, answers, faults, None, None, name)

    def _gguf(self, loaded: LanguageModel, job: Job, source: Path, folder: Path) -> Proof:
        from worker.export.proof import ask_program, judge, llama_cpp

        engine = llama_cpp()
        from worker.export import gguf_export  # needs what has just been found to be there

        base = gguf_export.base_of_run(job)
        self._require_room(loaded, folder, _BYTES[self.order.number_format] * (2 if base else 1))
        file = folder / GGUF_FILE.format(self.order.number_format)
        made = gguf_export.export_gguf(
            loaded, job, self.order.number_format, file, self._part("Writing the weights.", 0.1, 0.35)
        )
        self.progress("Looking into the file.", 0.35)
        faults = made.faults(file)
        notes = [*made.notes, *gguf_export.write_modelfile(loaded, made, file)]
        expected = self._expected(loaded, job, self.order.number_format, made)
        part = self._part("llama.cpp reads it in a fresh process.", 0.45, 0.7)
        answers = ask_program("llama_cpp", [str(file)], expected, folder, _counted(part))
        del made, loaded  # a base is as large
        base_kl, base_fault = None, None
        if base:
            try:
                base_kl, base_fault = self._noise_of_base(base, job, folder)
            except WorkerError as error:
                notes.append(f"The base that it was trained from could not be measured: {error.reason}")
        return judge(expected, answers, faults, base_kl, base_fault, engine).model_copy(update={"notes": notes})

    def _noise_of_base(self, base: ModelSource, job: Job, folder: Path) -> tuple[float | None, str | None]:
        """See ``proof.base_noise``. Raises WorkerError if it cannot be loaded or exported."""
        from worker.export import gguf_export
        from worker.export.proof import ask_program, base_noise

        number_format = self.order.number_format
        with tempfile.TemporaryDirectory(prefix=".base-", dir=folder) as beside:
            file = Path(beside) / GGUF_FILE.format(number_format)
            self.progress("Exporting the untouched base in the same way.", 0.7)
            loaded = gguf_export.load_base(base)
            made = gguf_export.export_gguf(loaded, job, number_format, file, lambda _: None)
            expected = self._expected(loaded, job, number_format, made, 0.8)
            part = self._part("llama.cpp reads the untouched base.", 0.85, 1.0)
            return base_noise(expected, ask_program("llama_cpp", [str(file)], expected, folder, _counted(part)))

    def _expected(
        self, loaded: LanguageModel, job: Job, number_format: str, made: Made | None = None, share: float = 0.4
    ) -> Expected:
        """``made``: the .gguf file, if it is one."""
        from worker.export.divergence import FolderRounding
        from worker.export.proof import expected_of
        from worker.export.tried_texts import rows_to_try

        self.progress("Working out what it has to answer.", share)
        tried = rows_to_try(job, loaded.tokenizer, made.layout.context if made else loaded.context)
        if made:
            return made.expected(loaded, tried, number_format)
        return expected_of(loaded, tried, FolderRounding(number_format))

    def _part(self, text: str, start: float, end: float) -> Callable[[float], None]:
        """Progress within a part of the whole."""
        return lambda share: self.progress(text, start + (end - start) * share)

    def _require_room(self, loaded: LanguageModel, folder: Path, bytes_a_weight: float) -> None:
        model: Any = loaded.model
        needed, free = int(model.num_parameters() * bytes_a_weight), shutil.disk_usage(folder).free
        if needed > free:
            raise ModelError(
                f"This export takes {needed / 1e9:.1f} GB while it is made, and the disk has {free / 1e9:.1f} GB left.",
                "Free some space, or choose a smaller number format.",
            )


def _counted(part: Callable[[float], None]) -> Callable[[str], None]:
    """``done total`` lines as a share."""

    def told(line: str) -> None:
        done, _, total = line.partition(" ")
        if done.isdigit() and total.isdigit():
            part(int(done) / int(total))

    return told


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what lies beside the export is removed
    sys.exit(serve(_answer))
