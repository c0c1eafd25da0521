"""Bad input: 422 with the field and a sentence for a person, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

from worker.contract import RunConfig

OUT_OF_RANGE = [
    ("batch_size", 0, "Batch size must be at least 1; you gave 0."),
    ("batch_size", 1025, "Batch size must be at most 1024; you gave 1025."),
    ("batch_size", 2.5, "Batch size must be a whole number; you gave 2.5."),
    ("batch_size", "4", "Batch size must be a whole number; you gave '4'."),
    ("batch_size", True, "Batch size must be a whole number; you gave true."),
    ("num_epochs", -1, "Epochs must be at least 1; you gave -1."),
    ("validation_split", 0.6, "Validation split must be at most 0.5; you gave 0.6."),
    ("learning_rate", 0, "Learning rate must be more than 0; you gave 0."),
    ("learning_rate", "fast", "Learning rate must be a number; you gave 'fast'."),
    ("packing", "yes", "Pack short examples must be true or false; you gave 'yes'."),
    ("precision", "fp8", "Precision must be 'auto', 'fp32', 'fp16' or 'bf16'; you gave 'fp8'."),
    ("name", "x" * 121, "Name must have at most 120 characters"),
    ("name", "two\nlines", "Name must be one line of printable characters"),
    ("name", "\ud800", "Name must be text"),
    ("sample_prompts", ["a"] * 9, "Sample prompts must have at most 8 items"),
    ("sample_prompts", "one", "Sample prompts must be a list; you gave 'one'."),
    ("device", "tpu", "Device is not one that is known; you gave 'tpu'."),
    ("device", "cuda:7", "This machine has no device 'cuda:7'."),
    ("max_length", 257, "Max length must be at most 256 for tiny; you gave 257."),
    ("dataset", "nothing-here", "There is no dataset 'nothing-here'."),
    ("dataset", "../../etc/passwd", "There is no dataset '../../etc/passwd'."),
    ("model_name", "tinyy", "'tinyy' is not on this machine, and the Hugging Face hub cannot be reached"),
    ("model_name", "http://127.0.0.1:1/x", "'http://127.0.0.1:1/x' is not the name of a model."),
    ("model_name", "127.0.0.1:1/x", "'127.0.0.1:1/x' is not the name of a model."),
    ("model_name", "a/../../b", "'a/../../b' is not the name of a model."),
    ("model_name", "local:../../x", "There is no model local:../../x in the models directory."),
    ("model_name", "run:20200101-000000-0000", "There is no run '20200101-000000-0000'."),
    ("model_name", "run:../../x", "There is no run '../../x'."),
]


def refused(shared_server, **request: Any) -> dict[str, Any]:
    """The error that a POST /api/runs is answered with, having made sure that it left nothing behind."""
    before = sorted((shared_server.data_dir / "runs").iterdir())
    response = shared_server.client.post("/api/runs", **request)
    assert response.status_code == 422, response.text
    assert sorted((shared_server.data_dir / "runs").iterdir()) == before
    assert shared_server.client.get("/api/runs").json()["items"] == []
    return response.json()["error"]


@pytest.mark.parametrize(("field", "value", "sentence"), OUT_OF_RANGE, ids=lambda value: str(value)[:24])
def test_value_is_refused_at_its_field(shared_server, field: str, value: Any, sentence: str) -> None:
    import json  # by hand, for httpx would refuse to encode a lone surrogate

    error = refused(shared_server, content=json.dumps({field: value}), headers={"content-type": "application/json"})
    assert error["field"] == field
    assert error["message"].startswith(sentence)


def test_every_bound_of_the_schema_is_enforced(shared_server) -> None:
    """One beyond each minimum and maximum, for whatever fields there are."""
    for name, schema in RunConfig.model_json_schema()["properties"].items():
        kind = next((one for one in schema.get("anyOf", [schema]) if one["type"] != "null"), schema)
        beyond = [
            kind[key] + sign for key, sign in (("minimum", -1), ("maximum", 1), ("exclusiveMinimum", 0)) if key in kind
        ]
        for value in beyond:
            assert refused(shared_server, json={name: value})["field"] == name


def test_unknown_field_is_named_with_the_nearest(shared_server) -> None:
    error = refused(shared_server, json={"batchsize": 4})
    assert (error["field"], error["code"], error["hint"]) == ("batchsize", "unknown_field", "Did you mean batch_size?")


def test_misspelled_built_in_model_is_suggested(shared_server) -> None:
    assert refused(shared_server, json={"model_name": "tinyy"})["hint"] == "Did you mean tiny?"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"x"', b"null", b"\xff\xfe", b"NaN", b"[" * 100_000, b"1" * 5000])
def test_body_that_is_no_object_is_refused(shared_server, body: bytes) -> None:
    error = refused(shared_server, content=body, headers={"content-type": "application/json"})
    assert error["field"] == "body"
    assert error["message"].startswith("The request's body")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(shared_server, value: str) -> None:
    error = refused(shared_server, content=f'{{"learning_rate": {value}}}', headers={"content-type": "application/json"})
    assert error["field"] == "learning_rate"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/runs?limit=0", "limit"),
        ("/api/runs?limit=x", "limit"),
        ("/api/runs?cursor=x", "cursor"),
        ("/api/runs?status=gone", "status"),
        ("/api/datasets/sample/preview?limit=0", "limit"),
        ("/api/stream?after=-1", "after"),
        ("/api/stream?after=x", "after"),
    ],
)
def test_bad_query_is_refused_at_its_field(shared_server, path: str, field: str) -> None:
    response = shared_server.client.get(path)
    assert (response.status_code, response.json()["error"]["field"]) == (422, field)


UNKNOWN = ["20200101-000000-0000", "x", "..%2f..%2fetc", "%252e%252e", "%00"]


@pytest.mark.parametrize("run_id", UNKNOWN)
@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/stop"),
        ("POST", "/kill"),
        *(("GET", f"/{tail}") for tail in ("series", "events", "stream", "log", "samples", "checkpoints")),
    ],
)
def test_unknown_run_is_not_found(shared_server, method: str, tail: str, run_id: str) -> None:
    response = shared_server.client.request(method, f"/api/runs/{run_id}{tail}")
    assert response.status_code in (404, 405), response.text
    assert response.json()["error"]["message"]


def test_unknown_addresses_answer_in_the_same_shape(shared_server) -> None:
    for method, path, status in (
        ("GET", "/api/nothing", 404),
        ("PUT", "/api/runs", 405),
        ("GET", "/api/stream?runs=x", 404),
    ):
        response = shared_server.client.request(method, path)
        assert (response.status_code, set(response.json())) == (status, {"error"})


def test_generate_refuses_what_it_cannot_use(shared_server) -> None:
    for change, field in (
        ({"model": "tiny"}, "model"),
        ({"model": "local:none"}, "model"),
        ({"temperature": 6}, "temperature"),
        ({"max_new_tokens": 1025}, "max_new_tokens"),
        ({"top_q": 1}, "top_q"),
        ({"prompt": None}, "prompt"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "prompt"),
        ({"prompt": None, "messages": []}, "messages"),
        ({"prompt": None, "messages": [{"role": "user"}]}, "messages"),
        ({"continue_answer": True}, "continue_answer"),
        ({"prompt": None, "messages": [{"role": "user", "content": "Hi"}], "continue_answer": True}, "continue_answer"),
        ({"min_p": 1.1}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"top_logprobs": 21}, "top_logprobs"),
    ):
        body = {"model": "run:20200101-000000-0000", "prompt": "Once", **change}
        response = shared_server.client.post("/api/generate", json=body)
        assert (response.status_code, response.json()["error"]["field"]) == (422, field)


def test_early_stopping_without_a_validation_loss_is_refused(shared_server) -> None:
    error = refused(shared_server, json={"early_stopping_patience": 1, "validation_split": 0})
    assert error["field"] == "early_stopping_patience"


def test_addresses_longer_than_any_file_name_are_not_found(shared_server) -> None:
    assert shared_server.client.get(f"/{'x' * 300}.js").status_code == 404
