"""What of a folder is taken as a model, and what is said of one that cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import InvalidFieldError
from backend.models.catalog import Catalog
from backend.settings import ROOT

SHARDS = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
LEFT_BY_TRAINERS = [
    "checkpoint-5/model.safetensors",
    "optimizer.pt",
    "rng_state.pth",
    "scheduler.pt",
    "trainer_state.json",
    "training_args.bin",
]


def write(folder: Path, *names: str, **contents: object) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}")
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def model(folder: Path) -> Path:
    return write(folder, "config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "README.md")


def sharded(folder: Path) -> Path:
    (model(folder) / "model.safetensors").unlink()
    weight_map = {f"weight.{number}": shard for number, shard in enumerate(SHARDS)}
    return write(folder, *SHARDS, **{"model.safetensors.index": {"weight_map": weight_map}})


def adapter(folder: Path, base: object) -> Path:
    return write(folder, "adapter_model.safetensors", "README.md", adapter_config={"base_model_name_or_path": base})


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "models", tmp_path / "runs")


def test_what_a_training_left_beside_a_model_is_left_and_named(tmp_path: Path) -> None:
    needed = names(write(model(tmp_path / "checkpoint-10"), "chat_template.jinja", "additional_chat_templates/tools.jinja"))
    write(tmp_path / "checkpoint-10", *LEFT_BY_TRAINERS)
    command = [sys.executable, "-m", "backend", "models", "add", str(tmp_path / "checkpoint-10")]
    ran = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "data")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "local:checkpoint-10\n"
    assert ran.stderr == f"Left out, as the model is loaded without: {', '.join(LEFT_BY_TRAINERS)}.\n"
    assert names(tmp_path / "data" / "models" / "checkpoint-10") == needed


def test_of_shards_those_that_the_index_names_are_taken_and_no_copies_in_other_forms(
    catalog: Catalog, tmp_path: Path
) -> None:
    needed = names(sharded(tmp_path / "large"))
    write(tmp_path / "large", "consolidated.safetensors", "pytorch_model.bin", "modeling_large.py", ".lock")
    assert catalog.add(tmp_path / "large").left_out == ["consolidated.safetensors", "modeling_large.py", "pytorch_model.bin"]
    assert names(tmp_path / "models" / "large") == needed


def test_a_snapshot_of_the_hub_which_is_links_is_taken_as_files(catalog: Catalog, tmp_path: Path) -> None:
    write(model(tmp_path / "snapshots" / "abc"), "blob")
    weights = tmp_path / "snapshots" / "abc" / "model.safetensors"
    weights.unlink()
    weights.symlink_to("blob")
    catalog.add(tmp_path / "snapshots" / "abc")
    taken = tmp_path / "models" / "abc" / "model.safetensors"
    assert (taken.read_bytes(), taken.is_symlink()) == (b"{}", False)


def test_an_adapter_is_taken_if_its_base_can_be_found(catalog: Catalog, tmp_path: Path) -> None:
    beside_a_folder = adapter(tmp_path / "one", str(model(tmp_path / "base")))
    assert catalog.add(beside_a_folder).name == "local:one"
    assert catalog.add(adapter(tmp_path / "two", "someone/base")).name == "local:two"
    assert {(item.name, item.description) for item in catalog.all({}) if item.kind == "folder"} == {
        ("one", "An adapter that was added here."), ("two", "An adapter that was added here.")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (sharded(folder) / SHARDS[1]).unlink(), f"lacks {SHARDS[1]}: 1 of the 3 files"),
        (lambda folder: write(sharded(folder), **{"model.safetensors.index": []}), "names no files"),
        (
            lambda folder: write(sharded(folder), **{"model.safetensors.index": {"weight_map": {"a": "../../b"}}}),
            r"names \.\./\.\./b, which is no file of the same folder",
        ),
        (lambda folder: (model(folder) / "tokenizer.json").unlink(), "no tokenizer: no tokenizer.json"),
        (lambda folder: (model(folder) / "config.json").unlink(), "no config.json"),
        (
            lambda folder: (model(folder) / "model.safetensors").rename(folder / "consolidated.safetensors"),
            "no model.safetensors, under which .* and consolidated.safetensors is another",
        ),
        (
            lambda folder: (model(folder) / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "pytorch_model.bin can run code when loaded",
        ),
        (
            lambda folder: (adapter(folder, "gpt2") / "adapter_model.safetensors").rename(folder / "adapter_model.bin"),
            "no adapter_model.safetensors, and adapter_model.bin can run code",
        ),
        (lambda folder: adapter(folder, "/nowhere/base"), "is an adapter, and /nowhere/base, .* is gone"),
        (lambda folder: adapter(folder, "./base"), "is an adapter, and the base .* no whole path"),
        (lambda folder: adapter(folder, None), "is an adapter, and adapter_config.json names no base"),
    ],
)
def test_what_could_not_be_loaded_is_refused_at_once(
    catalog: Catalog, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    change(tmp_path / "given")
    with pytest.raises(InvalidFieldError, match=said):
        catalog.add(tmp_path / "given")
    assert not (tmp_path / "models").exists()


def test_a_model_that_lost_a_part_is_not_listed(catalog: Catalog, tmp_path: Path) -> None:
    sharded(tmp_path / "models" / "large")
    model(tmp_path / "runs" / "20260101-000000-abcd" / "model")
    (tmp_path / "runs" / "20260101-000000-abcd" / "model" / "model.safetensors").rename(tmp_path / "other.safetensors")

    def listed() -> list[str]:
        return [item.id for item in catalog.all({"20260101-000000-abcd": "run"}) if item.kind != "built_in"]

    assert listed() == ["local:large"]
    (tmp_path / "models" / "large" / SHARDS[2]).unlink()
    assert listed() == []
    with pytest.raises(InvalidFieldError, match="no model local:large"):
        catalog.resolve("local:large")
