"""What is checked on a GPU, part by part, in order of worth. Each check yields whether it is right, its name and figures."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from torch._dynamo.utils import counters

from tests.benchmarks.gpu_runs import DEVICE, SMALL, Bench, Done
from worker.devices.out_of_memory import free_unused
from worker.models import attention

Check = tuple[bool, str, dict[str, Any]]

HALF = ("bf16", "fp16") if not SMALL else ("bf16",)
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10": 125e12, "4090": 165e12}
"""Dense bf16 products a second, from the makers' data sheets, by a part of the card's name."""


def difference(found: list[float], wanted: list[float]) -> float:
    """The largest of all steps, as a share of what is wanted."""
    assert len(found) == len(wanted), f"{len(found)} steps instead of {len(wanted)}"
    return max(abs(one - other) / abs(other) for one, other in zip(found, wanted, strict=True))


def parity(bench: Bench) -> Iterator[Check]:
    """Packed passes in any precision learn what one text after the other in fp32 learns."""
    for design in ("GPT-2 without dropout", "Llama", "Mistral", "Gemma 3", "Qwen3 MoE"):
        wanted = bench.run(design, precision="fp32", packing=False)
        for precision in ("fp32", *HALF):
            calls, real = [0], attention._attend_varlen

            def counted(*args: Any, calls: list[int] = calls, real: Any = real, **kwargs: Any) -> Any:
                calls[0] += 1
                return real(*args, **kwargs)

            attention._attend_varlen = counted
            try:
                found = bench.run(design, precision=precision)
            finally:
                attention._attend_varlen = real
            losses, norms = (difference(found.steps(name), wanted.steps(name)) for name in ("loss", "grad_norm"))
            kernel = "varlen" if calls[0] else "SDPA"
            right = losses < (1e-4 if precision == "fp32" else 2e-2) and found.trainer.setup.layout == "packed"
            right &= precision == "fp32" or SMALL or kernel == "varlen"
            yield right, f"parity {design} {precision}", {"loss": losses, "grad_norm": norms, "kernel": kernel}


def speed(bench: Bench) -> Iterator[Check]:
    """Tokens a second, and of GPT-2's the share of what the card could compute."""
    usual = {
        "max_steps": 4 if SMALL else 40,
        "batch_size": 16 if SMALL else 128,
        "gradient_accumulation_steps": 1,
        "precision": "bf16",
    }
    variants: list[dict[str, Any]] = [{}, {"packing": False}, {"gradient_checkpointing": True}, {"compile": "on"}]
    for design in ("GPT-2", "GPT-2 without dropout"):
        for variant in variants:
            if not SMALL:
                torch.cuda.reset_peak_memory_stats()
            done = bench.run(design, **(usual | variant))
            figures: dict[str, Any] = {"tokens_per_s": round(done.tokens_per_s()), "layout": done.trainer.setup.layout}
            if not SMALL:
                figures |= {"TFLOP_per_s": _flops(done) / 1e12, "memory_GB": torch.cuda.max_memory_allocated() / 1e9}
                if peak := _peak_flops():
                    figures["MFU"] = _flops(done) / peak
            right = not done.warnings() and done.trainer.compiled == ("compile" in variant)
            name = ", ".join(f"{key} {value}" for key, value in variant.items()) or "as it is"
            yield right, f"speed {design}: {name}", figures | _warned(done)


def _flops(done: Done) -> float:
    """6 for each weight and token forward and back, as PaLM's appendix B counts it; attention's own products left out."""
    return 6.0 * sum(weight.numel() for weight in done.trainer.model.parameters()) * done.tokens_per_s()


def _peak_flops() -> float | None:
    name = torch.cuda.get_device_name()
    return next((flops for part, flops in PEAK_FLOPS.items() if part in name), None)


def _warned(done: Done) -> dict[str, Any]:
    return {"warned": done.warnings()} if done.warnings() else {}


def out_of_memory(bench: Bench) -> Iterator[Check]:
    """On a card that others have nearly filled, an update is made again in smaller parts, and learns the same."""
    if SMALL:
        return
    usual = {"precision": "bf16", "max_steps": 3}
    wanted = bench.run("Llama", batch_size=8, gradient_accumulation_steps=64, **usual)
    free_unused()
    taken = torch.empty(max(0, torch.cuda.mem_get_info()[0] - (9 << 30)), dtype=torch.uint8, device=DEVICE)
    try:
        done = bench.run("Llama", batch_size=512, gradient_accumulation_steps=1, **usual)
    finally:
        del taken
        free_unused()
    losses = difference(done.steps("loss"), wanted.steps("loss"))
    yield (
        losses < 1e-2 and done.trainer.batch_size < 512,
        "out of memory",
        {"batch_size": done.trainer.batch_size, "loss": losses},
    )


def not_a_number(bench: Bench) -> Iterator[Check]:
    """A gradient that is no number is told with its step, and moves no weight."""
    for precision in ("fp32", "bf16"):
        box: dict[str, Any] = {}

        def spoil(trainer: Any, box: dict[str, Any] = box) -> None:
            real, box["trainer"], box["made"] = trainer._gradients, trainer, 0

            def gradients() -> Any:
                box["made"] += 1
                found = real()
                if box["made"] == 5:
                    next(weight for weight in trainer.model.parameters()).grad.view(-1)[0] = math.nan
                    box["before"] = [weight.detach().clone() for weight in trainer.model.parameters()]
                return found

            trainer._gradients = gradients

        try:
            bench.run("Llama", precision=precision, change=spoil)
            said = "nothing"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked at
            said = str(error)
        kept = "before" in box and all(map(torch.equal, box["before"], box["trainer"].model.parameters()))
        yield "step 5" in said and kept, f"NaN in {precision}", {"said": said[:60], "weights": "kept" if kept else "moved"}


def _cut_and_gone_on(bench: Bench, design: str, settings: dict[str, Any]) -> Done:
    """What a run tells that was stopped after update 8 and goes on."""

    def stop(event: Any, run_dir: Path) -> None:
        if event.type == "step" and event.step == 8:
            (run_dir / "control.json").write_text('{"command": "stop"}')

    stopped = bench.run(design, run_id="cut", watch=stop, **settings)
    (stopped.run_dir / "control.json").unlink(missing_ok=True)
    return bench.run(design, run_id="cut", going_on=True, **settings)


def _apart(rest: Done, whole: Done) -> float:
    """Of the losses of a run that went on, and of one that was not stopped."""
    return difference(rest.steps("loss"), whole.steps("loss")[-len(rest.steps("loss")) :])


def resume(bench: Bench) -> Iterator[Check]:
    """A run that was stopped goes on to the numbers of one that was not."""
    for settings in [{"precision": half} for half in HALF] + [{"precision": "bf16", "method": "lora", "lora_dropout": 0.1}]:
        usual = {"max_steps": 10, "save_steps": 6, **settings}
        whole = bench.run("GPT-2", run_id="whole", **usual)
        rest = _cut_and_gone_on(bench, "GPT-2", usual)
        losses, first = _apart(rest, whole), int(rest.steps("step")[0])
        name = " ".join(map(str, settings.values()))
        # A GPU's step is told one update late.
        yield losses < 1e-3 and first == (9 if SMALL else 10), f"resume {name}", {"from_step": first, "loss": losses}


def memory_savers(bench: Bench) -> Iterator[Check]:
    """Other optimizers, and a frozen base in fewer bytes, learn nearly what AdamW and a whole base do, and go on alike."""
    lora = {"method": "lora", "lora_rank": 64}
    for settings in ({"optimizer": "muon"}, {"optimizer": "adamw_8bit"}, lora, lora | {"load_in_4bit": True}):
        usual = {"precision": "bf16", "max_steps": 10, "save_steps": 6}
        plain = bench.run("Llama", run_id="plain", **(usual | (lora if "method" in settings else {})))
        if not SMALL:
            free_unused()
            torch.cuda.reset_peak_memory_stats()
        whole = bench.run("Llama", run_id="whole", **usual, **settings)
        memory = {} if SMALL else {"memory_GB": torch.cuda.max_memory_allocated() / 1e9}
        gone_on = _apart(_cut_and_gone_on(bench, "Llama", usual | settings), whole)
        apart = difference(whole.steps("loss")[:1], plain.steps("loss")[:1])  # of the first update, before any was made
        name = ", ".join(f"{key} {value}" for key, value in settings.items())
        falls = whole.steps("loss")[-1] < whole.steps("loss")[0]
        figures = {"first_loss": apart, "resumed": gone_on, **memory}
        yield apart < 0.05 and gone_on < 1e-3 and falls, f"memory savers {name}", figures


def lora(bench: Bench) -> Iterator[Check]:
    """The adapter is merged into a model that others load."""
    for design in ("Llama", "GPT-2 without dropout", "Qwen3 MoE"):
        done = bench.run(design, precision="bf16", method="lora")
        transformers.AutoModelForCausalLM.from_pretrained(done.run_dir / "model")
        said = next(event.text for event in done.of("message") if "Merged" in event.text)
        yield True, f"LoRA {design}", {"said": said.partition(":")[2].strip()[:60]}


def telemetry(bench: Bench) -> Iterator[Check]:
    """The card's use, memory, temperature and power are told."""
    first = bench.run("Llama", precision="bf16").of("system")[0]
    told = {name: getattr(first, name) for name in ("gpu_percent", "gpu_memory_bytes", "gpu_temperature", "gpu_power")}
    yield SMALL or None not in told.values(), "telemetry", told


def preflight(bench: Bench) -> Iterator[Check]:
    """The machine is measured, and what a run is said to take beside what it took."""
    began = time.monotonic()
    place, precision = ("cpu", "fp32") if SMALL else ("cuda:0", "bf16")
    command = [sys.executable, "-m", "worker.preflight.benchmark", place, precision]
    done = subprocess.run(command, capture_output=True, text=True)
    yield (
        done.returncode == 0,
        "benchmark of the machine",
        {"s": time.monotonic() - began, "found": (done.stdout or done.stderr)[-150:]},
    )
    if SMALL:
        return
    job = bench.job("Llama", precision="bf16").model_copy(update={"device": place})
    question = {"id": 1, "op": "preflight", "job": job.model_dump(mode="json"), "memory_available_bytes": 1 << 36}
    asked = subprocess.run(
        [sys.executable, "-m", "worker.inspection"], input=json.dumps(question) + "\n", capture_output=True, text=True
    )
    answer = json.loads(asked.stdout.splitlines()[-1])["data"]
    free_unused()
    before = torch.cuda.memory_allocated()  # of the checks before
    torch.cuda.reset_peak_memory_stats()
    run = bench.run("Llama", precision="bf16")
    took = run.of("status")[-1]
    said = answer["formula"]["peak_memory_bytes"] / 1e9, 1000 * answer["formula"]["step_seconds"]
    figures = {
        "said_GB": said[0],
        "took_GB": (took.peak_memory_bytes - before) / 1e9,
        "said_ms": said[1],
        "took_ms": 1000 * took.step_seconds,
    }
    yield 0.5 < said[0] / figures["took_GB"] < 2, "preflight", figures


def compile_(bench: Bench) -> Iterator[Check]:
    """Compiled passes learn the same, and are compiled once."""
    for settings in ({}, {"gradient_checkpointing": True}, {"method": "lora", "lora_rank": 8}):
        usual = {"precision": "bf16", "max_steps": 4 if SMALL else 12, **settings}
        wanted = bench.run("Llama", **usual)
        counters.clear()
        torch._dynamo.reset()
        graphs: list[int] = []

        def count(event: Any, run_dir: Path, graphs: list[int] = graphs) -> None:
            if event.type == "step":
                graphs.append(counters["stats"].get("unique_graphs", 0))

        done = bench.run("Llama", compile="on", watch=count, **usual)
        losses = difference(done.steps("loss"), wanted.steps("loss"))
        right = done.trainer.compiled and len(set(graphs)) == 1 and losses < 2e-2
        name = " ".join(map(str, settings)) or "as it is"
        yield right, f"compile {name}", {"graphs": f"{graphs[0]} to {graphs[-1]}", "loss": losses} | _warned(done)


PARTS: dict[str, Callable[[Bench], Iterator[Check]]] = {
    "parity": parity, "speed": speed, "oom": out_of_memory, "nan": not_a_number, "resume": resume, "lora": lora,
    "savers": memory_savers, "telemetry": telemetry, "preflight": preflight, "compile": compile_,
}  # fmt: skip
