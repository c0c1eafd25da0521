"""Which models are in memory can be seen, and they can be freed."""

from __future__ import annotations

from typing import Any

from tests.serving import Server

FOREVER = {"prompt": "Once", "max_new_tokens": 100, "temperature": 5.0, "top_p": 1.0, "seed": 1, "chat": False}


def in_memory(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get("/api/generate/models").json()
    return found


def test_models_in_memory_are_told_shared_and_freed(server: Server, short_text: str) -> None:
    """Two checkpoints of a LoRA run and its base, which they share; then a text that is being written."""
    assert in_memory(server) == {"running": False, "models": [], "loading": []}
    settings: dict[str, Any] = {"max_steps": 2, "sample_prompts": [], "device": "cpu", "dataset": short_text}
    base = server.create(model_name="tiny", **settings)["id"]
    server.end(base)
    lora = {"method": "lora", "save_steps": 1, "keep_checkpoints": 2, "learning_rate": 0.01, "lora_rank": 1}
    run = server.create(model_name=f"run:{base}", **settings, **lora)["id"]
    server.end(run)
    listed = server.client.get("/api/models").json()["items"]
    checkpoints = [each["id"] for each in listed if each["run"] == run and each["kind"] == "checkpoint"]
    assert len(checkpoints) >= 2
    for model in checkpoints:
        assert server.generate(model=model, prompt="The", max_new_tokens=1, chat=False)[-1][0] == "done"
    (held,) = in_memory(server)["models"]
    assert server.client.get("/api/system").json()["generation"] == in_memory(server)
    assert (held["name"], held["device"], held["texts"]) == (f"base of {checkpoints[0]}", "cpu", 0)
    alone = next(each["bytes"] for each in listed if each["id"] == f"run:{base}")
    assert held["bytes"] < 1.3 * alone, "one base for both"
    server.generate(model=f"run:{base}", prompt="The", max_new_tokens=1, chat=False)
    assert len(in_memory(server)["models"]) == 1, "and for whoever asks for it alone"

    with server.client.stream("POST", "/api/generate", json={"model": f"run:{run}", **FOREVER}) as answer:
        lines = answer.iter_lines()
        for _ in range(3):  # what is held is told between a token of all texts and the next
            while not next(lines).startswith("event: token"):
                pass
        assert sorted(each["texts"] for each in in_memory(server)["models"]) == [0, 1]
        left = server.client.delete("/api/generate/models").json()
        assert left["running"]
        assert [(each["name"], each["texts"]) for each in left["models"]] == [(f"run:{run}", 1)]
        assert any(line.startswith("event: done") for line in lines), "it was written to its end"
    freed = server.client.delete("/api/generate/models")
    assert freed.json() == in_memory(server) == {"running": False, "models": [], "loading": []}
    assert server.generate(model=f"run:{run}", prompt="The", max_new_tokens=1, chat=False)[-1][0] == "done"
