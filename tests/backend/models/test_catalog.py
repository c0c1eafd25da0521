"""What a model's name stands for: built in, added here, made by a run, or on the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import InvalidFieldError
from backend.models.catalog import Catalog
from tests.loopback_hub import LoopbackHub


def model_folder(path: Path, context: int = 64) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_positions": context}))
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "tokenizer.json").write_text("{}")
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "models", tmp_path / "runs")


def test_added_models_are_found_by_the_name_that_is_printed(catalog: Catalog, tmp_path: Path) -> None:
    assert catalog.add(model_folder(tmp_path / "my model")).name == "local:my-model"
    (tmp_path / "small.gguf").write_bytes(b"GGUF" + bytes(100))
    assert catalog.add(tmp_path / "small.gguf") == ("local:small.gguf", [])
    source, context = catalog.resolve("local:my-model")
    assert (source.kind, source.location, context) == ("folder", str(tmp_path / "models" / "my-model"), 64)
    assert catalog.resolve("local:small.gguf").source.kind == "gguf"
    listed = {model.id: model for model in catalog.all({})}
    assert listed["local:my-model"].context == 64
    assert listed["local:small.gguf"].bytes == 104
    with pytest.raises(InvalidFieldError, match="already a model"):
        catalog.add(tmp_path / "small.gguf")
    with pytest.raises(InvalidFieldError) as error:
        catalog.resolve("local:small")
    assert error.value.detail.hint == "Did you mean local:small.gguf?"


def test_what_is_no_model_or_unsafe_is_not_added(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "fake.gguf").write_bytes(b"PK\x03\x04")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80")
    (tmp_path / "empty").mkdir()
    for name in ("fake.gguf", "pickled", "empty", "nothing"):
        with pytest.raises(InvalidFieldError):
            catalog.add(tmp_path / name)
    assert not (tmp_path / "models").exists() or list((tmp_path / "models").iterdir()) == []


def test_models_of_runs_and_their_checkpoints(catalog: Catalog, tmp_path: Path) -> None:
    run_id = "20260101-000000-abcd"
    directory = tmp_path / "runs" / run_id
    final = model_folder(directory / "model")
    saved = model_folder(directory / "checkpoints" / "step-000010")
    (directory / "checkpoints" / ".step-000020-half").mkdir()
    assert catalog.resolve(f"run:{run_id}").source.location == str(final)
    assert catalog.resolve(f"run:{run_id}@step-000010").source.location == str(saved)
    for wrong in ("step-000020", "../model", "..", ".step-000020-half", ""):
        name = f"run:{run_id}@{wrong}"
        if wrong:
            with pytest.raises(InvalidFieldError):
                catalog.resolve(name)
    listed = [(model.id, model.kind, model.step) for model in catalog.all({run_id: "mine"}) if model.run]
    assert listed == [(f"run:{run_id}", "run", None), (f"run:{run_id}@step-000010", "checkpoint", 10)]


def test_hub_model_is_looked_up_before_a_run_is_made(start_server, tmp_path: Path) -> None:
    good = model_folder(tmp_path / "repositories" / "good")
    pickled = model_folder(tmp_path / "repositories" / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with LoopbackHub({"someone/good": good, "someone/pickled": pickled}) as hub:
        server = start_server(hub.environment(tmp_path / "home"))

        def refusal(**config: object) -> tuple[str, str]:
            response = server.client.post("/api/runs", json=config)
            assert response.status_code == 422, response.text
            return response.json()["error"]["field"], response.json()["error"]["message"]

        assert refusal(model_name="someone/none") == (
            "model_name",
            "There is no language model called 'someone/none', neither here nor on the Hugging Face hub.",
        )
        assert refusal(model_name="someone/pickled")[1].endswith("has no weights in the safetensors format.")
        assert refusal(model_name="someone/good", max_length=65) == (
            "max_length",
            "Max length must be at most 64 for someone/good; you gave 65.",
        )
        asked = len(hub.requests)
        assert refusal(model_name=hub.url + "/someone/good")[0] == "model_name"
        assert refusal(model_name=hub.url.removeprefix("http://"))[0] == "model_name"
        assert len(hub.requests) == asked, "a name that is an address is never followed"
        config = server.create(model_name="someone/good")["config"]
        assert (config["max_length"], config["learning_rate"]) == (64, 5e-5)


def test_cached_hub_model_is_listed_and_found_without_a_network(start_server, tmp_path: Path) -> None:
    cache = tmp_path / "hf" / "hub" / "models--gpt2"
    model_folder(cache / "snapshots" / "abc", context=1024)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    server = start_server({"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": "http://127.0.0.1:9"})
    (gpt2,) = (model for model in server.client.get("/api/models").json()["items"] if model["kind"] == "hub")
    assert (gpt2["id"], gpt2["context"], gpt2["trainable"]) == ("gpt2", 1024, True)
    assert server.client.get("/api/config-schema").json()["schema"]["properties"]["model_name"]["default"] == "gpt2"
    config = server.create()["config"]
    assert (config["model_name"], config["max_length"]) == ("gpt2", 512)


def test_half_a_model_in_the_cache_is_not_on_this_machine(start_server, tmp_path: Path) -> None:
    cache = tmp_path / "hf" / "hub" / "models--someone--large"
    snapshot = model_folder(cache / "snapshots" / "abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    shards = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    (snapshot / "model.safetensors").rename(snapshot / shards[0])
    (snapshot / shards[1]).write_bytes(b"")
    weight_map = {f"weight.{number}": shard for number, shard in enumerate(shards)}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    server = start_server({"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"})

    def listed() -> list[str]:
        return [model["id"] for model in server.client.get("/api/models").json()["items"] if model["kind"] == "hub"]

    assert listed() == []
    response = server.client.post("/api/runs", json={"model_name": "someone/large"})
    assert "is not on this machine" in response.json()["error"]["message"]
    (snapshot / shards[2]).write_bytes(b"")
    assert listed() == ["someone/large"]


def test_a_hub_that_cannot_be_reached_is_told_at_the_field(start_server) -> None:
    """Not by an offline setting: the connection is refused."""
    server = start_server({"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"})
    response = server.client.post("/api/runs", json={"model_name": "someone/model"})
    assert (response.status_code, response.json()["error"]["field"]) == (422, "model_name")
    assert "cannot be reached" in response.json()["error"]["message"]


def test_one_damaged_model_does_not_hide_the_others(catalog: Catalog, tmp_path: Path) -> None:
    model_folder(tmp_path / "models" / "good")
    (model_folder(tmp_path / "models" / "bad") / "config.json").write_text("[]")
    assert {"local:good", "local:bad"} <= {model.id for model in catalog.all({})}


def test_whether_a_model_has_a_form_for_chats_is_told(catalog: Catalog, tmp_path: Path) -> None:
    models = tmp_path / "models"
    model_folder(models / "without")
    (model_folder(models / "in-a-file") / "chat_template.jinja").write_text("{{ messages }}")
    for name, template in (("in-its-config", "{{ messages }}"), ("empty", ""), ("by-name", [{"name": "tool_use"}])):
        (model_folder(models / name) / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    (model_folder(models / "broken") / "tokenizer_config.json").write_text("[")
    adapter = models / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(models / "in-a-file")}))
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    for name, key in (("with.gguf", b"tokenizer.chat_template"), ("plain.gguf", b"tokenizer.ggml.model")):
        (models / name).write_bytes(b"GGUF" + bytes(100) + key + bytes(100))
    found = {model.name for model in catalog.all({}) if model.chat_template}
    assert found == {"in-a-file", "in-its-config", "by-name", "adapter", "with.gguf"}
