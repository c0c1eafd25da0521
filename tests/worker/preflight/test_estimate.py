"""What a run will take, by formula, against what runs take and what real passes do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import MixtralConfig

from tests.worker import designs, runs
from tests.worker.texts import random_examples
from worker.contract import CHECKPOINTS_DIR, MODEL_DIR, TERMINAL_PHASES, DatasetSource, Job, ModelSource, RunConfig
from worker.data.batching import Batch, PackedTexts, lay_out, shuffled_windows
from worker.datasets.cache import Samples
from worker.devices.machine import machine
from worker.errors import DataError, ModelError
from worker.models.attention import PACKED, packed_arguments
from worker.models.frozen import held_bytes, is_rounded, numbers
from worker.models.lora import add_adapters, shrink_base
from worker.models.loss import linear_cross_entropy_sum
from worker.preflight.architecture import Design, design_of
from worker.preflight.estimate import Estimate, estimate
from worker.preflight.memory import Footprint
from worker.preflight.passes import Passes
from worker.preflight.tracing import Counter, rehearse
from worker.training.optimizer import state_bytes

CPU = torch.device("cpu")
LENGTHS = (31, 30, 17, 9, 2)


def job_of(model: ModelSource, dataset: Path, **config: Any) -> Job:
    return Job(run_id="run", config=RunConfig(**config), model=model, dataset=DatasetSource(path=str(dataset)), device="cpu")


def estimated(job: Job, available: int = 1 << 40) -> Estimate:
    sample = Samples().sample(job)
    design = design_of(job, sample.vocabulary)
    return estimate(job, design, sample, "fp32", available)


def saved(folder: Path, design: str, **config: Any) -> ModelSource:
    designs.make(design, **config).save_pretrained(folder)
    return ModelSource(kind="folder", location=str(folder))


@pytest.fixture
def trained() -> Callable[..., Passes]:
    """Passes over made-up examples of 2 to 60 tokens."""

    def make(layout: Any = "packed", batch_size: int = 4, accumulation: int = 4, count: int = 200) -> Passes:
        lengths = np.random.default_rng(1).integers(2, 60, count).tolist()
        examples = random_examples(lengths, designs.VOCABULARY)
        return Passes(examples, random_examples([9, 5], 97), layout, 64, batch_size, batch_size * accumulation, 30, 7)

    return make


def test_a_finished_run_tells_what_it_took(finished_run: Path) -> None:
    end = runs.events(finished_run, "status")[-1]
    steps = [event.step_ms / 1000 for event in runs.events(finished_run, "step")]
    assert end.phase in TERMINAL_PHASES
    assert end.step_seconds == pytest.approx(sum(steps) / len(steps))
    assert 100e6 < end.peak_memory_bytes < 2e9


def test_the_formula_estimates_the_memory_and_roughly_the_time_of_a_real_run(finished_run: Path, dataset: Path) -> None:
    end = runs.events(finished_run, "status")[-1]
    known = next(event for event in runs.events(finished_run, "status") if event.phase == "training")
    found = estimated(job_of(ModelSource(kind="built_in", location="tiny"), dataset, max_steps=24))
    assert found.formula.peak_memory_bytes == pytest.approx(end.peak_memory_bytes, rel=0.3)
    assert end.step_seconds / 8 < found.formula.step_seconds < end.step_seconds * 8  # others use this machine too
    assert (found.train_examples, found.validation_examples) == (known.train_examples, known.validation_examples)
    assert (found.parameters, found.total_steps) == (known.parameters, known.total_steps)
    updates = found.formula.total_seconds - found.formula.evaluation_seconds
    assert updates == pytest.approx(24 * found.formula.step_seconds)
    assert sum(part.bytes for part in found.memory_parts) == found.formula.peak_memory_bytes
    assert found.fits


def test_the_disk_space_is_what_a_run_leaves(dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", dataset, max_steps=6, save_steps=2, eval_steps=4, keep_checkpoints=5)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    found = estimated(Job.model_validate_json((run_dir / "config.json").read_bytes()))
    checkpoints = list((run_dir / CHECKPOINTS_DIR).iterdir())
    assert len(checkpoints) == 3
    for folder in checkpoints:
        assert found.checkpoint_bytes == pytest.approx(size_of(folder), rel=0.02)
    left = sum(map(size_of, [*checkpoints, run_dir / MODEL_DIR]))
    assert found.disk_bytes == pytest.approx(left, rel=0.03)  # and the tokens, which are there until the end


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_checkpoint_is_written_before_the_oldest_is_deleted(dataset: Path) -> None:
    config = {"max_steps": 40, "save_steps": 1, "keep_checkpoints": 2}
    found = estimated(job_of(ModelSource(kind="built_in", location="tiny"), dataset, **config))
    assert 4 * found.checkpoint_bytes <= found.disk_bytes < 4.2 * found.checkpoint_bytes  # 2, the best, and a new one


@pytest.mark.parametrize("design", ["gpt2", "llama", "qwen2"])
def test_what_is_counted_without_numbers_is_what_a_real_pass_takes(design: str, dataset: Path, tmp_path: Path) -> None:
    config = {"activation_function": "gelu_pytorch_tanh"} if design == "gpt2" else {}
    found = rehearse(design_of(job_of(saved(tmp_path, design, **config), dataset), 0), LENGTHS, "fp32")
    model = designs.make(design, **config).train()
    model.set_attn_implementation(PACKED)
    inputs = torch.randint(designs.VOCABULARY, (1, sum(LENGTHS)))
    batch = Batch(
        inputs, inputs[0, :64], position_ids=torch.cat([torch.arange(length) for length in LENGTHS])[None],
        texts=PackedTexts.of(LENGTHS),
    )  # fmt: skip
    with Counter([*model.parameters(), *model.buffers()]) as counter:
        hidden = model.base_model(input_ids=inputs, use_cache=False, **packed_arguments(batch)).last_hidden_state
        kept, forward = counter.live, counter.peak
        head = model.get_output_embeddings()
        loss = linear_cross_entropy_sum(hidden.flatten(0, 1)[:64], head.weight, head.bias, batch.targets)
        del hidden
        counter.peak = counter.live
        loss.backward()
    of_head = 3 * 2 * 64 * head.weight.numel()
    assert found.cells == sum(LENGTHS)
    assert (found.kept, found.forward) == (pytest.approx(kept, rel=0.02), pytest.approx(forward, rel=0.02))
    assert found.backward == pytest.approx(counter.peak, rel=0.02)
    assert found.flops == pytest.approx(counter.flops - of_head, rel=0.001)


def test_a_design_is_read_without_weights_and_without_code(dataset: Path, tmp_path: Path) -> None:
    source = saved(tmp_path / "model", "llama")
    (tmp_path / "model" / "model.safetensors").unlink()
    design = design_of(job_of(source, dataset), 0)
    assert design.parameters == design.trained_parameters == sum(w.numel() for w in designs.make("llama").parameters())
    assert (design.layers, design.width, design.context, design.layout) == (3, 32, designs.CONTEXT, "packed")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "of my own"}')
    with pytest.raises(ModelError, match="design of"):
        design_of(job_of(source, dataset), 0)


@pytest.mark.parametrize("layout", ["packed", "grouped", "in_order"])
def test_the_largest_pass_is_the_largest_that_the_run_lays_out(layout: Any, trained: Callable[..., Passes]) -> None:
    passes = trained(layout)
    laid_out = [
        [batch.inputs.numel() for batch in lay_out(passes.train, window, layout, 4, 64)]
        for window, _ in zip(shuffled_windows(200, 16, 7), range(30), strict=False)
    ]
    largest, _ = passes.largest(4)
    assert largest.cells == max(max(cells) for cells in laid_out)
    assert largest.cells in [one.cells for one in passes.passes_of(passes.worst_window)]
    assert passes.mean.cells == pytest.approx(np.mean([sum(cells) for cells in laid_out]))
    assert passes.mean.passes == pytest.approx(np.mean([len(cells) for cells in laid_out]))


def test_usual_windows_are_near_the_mean_and_full(trained: Callable[..., Passes]) -> None:
    usual = trained(count=100).typical_windows(8)
    assert [len(window) for window in usual] == [16] * 8
    passes = trained()
    cells = [passes.cells(window) for window in passes.typical_windows(4)]
    assert all(abs(number - passes.mean.cells) < passes.mean.cells / 10 for number in cells)


@pytest.fixture
def footprint(trained: Callable[..., Passes], dataset: Path, tmp_path: Path) -> Callable[..., Footprint]:
    def make(passes: Passes | None = None, **config: Any) -> Footprint:
        source = saved(tmp_path / "model", "llama")
        design: Design = design_of(job_of(source, dataset, model_name="local:model", **config), 0)
        passes = passes or trained()
        state = state_bytes(design.model, config.get("optimizer", "adamw"))
        return Footprint(design, replace(passes, layout=design.layout), CPU, "fp32", 10_000_000, True, state)

    return make


def test_larger_batches_take_more_memory(footprint: Callable[..., Footprint]) -> None:
    taken = [footprint().peak_bytes(size) for size in (1, 2, 4, 8, 16)]
    assert taken == sorted(taken)
    assert taken[-1] > 1.2 * taken[0]


def test_the_largest_batch_is_the_largest_divisor_that_fits(dataset: Path) -> None:
    job = job_of(ModelSource(kind="built_in", location="mini"), dataset, batch_size=12, gradient_accumulation_steps=2)
    needed = estimated(job).formula.peak_memory_bytes
    just = estimated(job, needed)
    assert (just.fits, just.largest_batch_size, just.largest_accumulation) == (True, 24, 1)  # 200 short stories fit at once
    short = estimated(job, needed - 1_000_000)
    assert not short.fits
    assert short.largest_batch_size is not None
    assert short.largest_batch_size < 12
    assert short.largest_batch_size * (short.largest_accumulation or 0) == 24
    small = job.model_copy(
        update={
            "config": job.config.model_copy(
                update={"batch_size": short.largest_batch_size, "gradient_accumulation_steps": short.largest_accumulation}
            )
        }
    )
    assert estimated(small).formula.peak_memory_bytes < needed
    none = estimated(job, 1_000_000)
    assert (none.largest_batch_size, none.largest_accumulation) == (None, None)


def test_checkpointing_and_lora_take_less(footprint: Callable[..., Footprint]) -> None:
    plain = footprint()
    largest, _ = plain.passes.largest(4)
    recomputed = footprint(gradient_checkpointing=True)
    assert recomputed.rehearsal(largest.cells).kept < plain.rehearsal(largest.cells).kept / 2
    assert recomputed.rehearsal(largest.cells).flops > 1.2 * plain.rehearsal(largest.cells).flops
    assert recomputed.peak_bytes(4) < plain.peak_bytes(4)
    lora = footprint(method="lora", lora_rank=2)
    assert lora.design.trained_parameters < plain.design.trained_parameters / 5
    assert lora.design.parameters == plain.design.parameters + lora.design.trained_parameters
    assert lora.parts(4)["optimizer"] < plain.parts(4)["optimizer"] / 5
    assert footprint(optimizer="muon").parts(4)["optimizer"] < plain.parts(4)["optimizer"]
    assert lora.rehearsal(largest.cells).flops < plain.rehearsal(largest.cells).flops
    few = footprint(method="lora", lora_rank=2, lora_target_modules=["q_proj"], use_dora=True)
    assert few.design.trained_parameters == 3 * (2 * 2 * 32 + 32)  # A, B and the lengths in each layer
    assert few.peak_bytes(4) < lora.peak_bytes(4)


@pytest.mark.parametrize("config", [{}, {"load_in_4bit": True}], ids=["in bf16", "in 4 bits"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2"])
def test_a_frozen_base_takes_what_it_does_in_a_run(name: str, config: dict[str, Any], dataset: Path, tmp_path: Path) -> None:
    lora = {"model_name": "local:model", "method": "lora", "lora_rank": 2, **config}
    design = design_of(job_of(saved(tmp_path / "model", name), dataset, **lora), 0, "bf16")
    model = designs.make(name)
    add_adapters(model, RunConfig(**lora))
    whole = held_bytes(model)
    shrink_base(model, RunConfig(**lora), "bf16", CPU)
    assert design.held_bytes == held_bytes(model) < 0.7 * whole
    assert design.parameters == numbers(model)
    assert (design.read_again, is_rounded(model, torch.float32)) == (True, True)
    assert not is_rounded(model, torch.bfloat16)


def test_a_base_in_fewer_bytes_is_whole_while_it_is_read_and_merged(footprint: Callable[..., Footprint]) -> None:
    whole, held = footprint(method="lora", lora_rank=2), footprint(method="lora", lora_rank=2, load_in_4bit=True)
    assert held.design.parameters == whole.design.parameters
    assert 0 < held.parts(4)["weights"] < whole.parts(4)["weights"] / 2
    short = replace(held.passes, train=random_examples([3], 97), batch_size=1, window_size=1)
    idle = replace(held, passes=short, program_bytes=0)
    assert idle.parts(1)["weights"] == 4 * held.design.parameters
    on_gpu = replace(idle, device=torch.device("cuda"))
    assert on_gpu.parts(1)["weights"] == held.design.held_bytes


def test_a_gpu_holds_no_program_and_has_no_gaps(footprint: Callable[..., Footprint]) -> None:
    on_cpu = footprint()
    on_gpu = replace(on_cpu, device=torch.device("cuda"), program_bytes=0, precision="bf16")
    assert "gaps" in on_cpu.parts(4)
    assert "gaps" not in on_gpu.parts(4)
    assert on_gpu.rehearsal(200).kept < on_cpu.rehearsal(200).kept


def test_a_part_of_the_text_stands_for_all_of_it(dataset: Path) -> None:
    job = job_of(ModelSource(kind="built_in", location="tiny"), dataset)
    sample = Samples().sample(job)
    design = design_of(job, sample.vocabulary)
    whole, part = (estimate(job, design, sample._replace(share=share), "fp32", 1 << 40) for share in (1.0, 0.25))
    assert part.train_examples == 4 * whole.train_examples
    assert part.steps_per_epoch == math.ceil(4 * whole.train_examples / 16)
    assert part.tokens_per_epoch == 4 * whole.tokens_per_epoch
    with pytest.raises(DataError):
        estimate(job, design, sample._replace(train=random_examples([], 9)), "fp32", 1 << 40)


def test_the_time_of_all_evaluations_is_told(dataset: Path) -> None:
    """Half of the text is evaluated, 1 + 3 times: before the first update, at 2 and 4, and after the last."""
    job = job_of(ModelSource(kind="built_in", location="tiny"), dataset, validation_split=0.5, max_steps=5, eval_steps=2)
    found = estimated(job)
    sample = Samples().sample(job)
    read = 4 * int(sample.validation.lengths.sum())
    learned = 5 * 16 * int(sample.train.lengths.sum()) / len(sample.train)
    ratio = found.formula.evaluation_seconds / (5 * found.formula.step_seconds)
    assert ratio == pytest.approx(read / learned / 3, rel=0.25)  # an update changes the weights besides


def test_the_machine_is_measured() -> None:
    found = machine("cpu", "fp32")
    assert 100e6 < found.memory_bytes < 2e9
    assert min(found.products.values()) > 1e8
    assert found.flops_per_s(256) == found.products[256]
    between = sorted((found.products[256], found.products[1024]))
    assert between[0] <= found.flops_per_s(512) <= between[1]
    assert found.flops_per_s(8192) == found.products[1024]


def test_a_design_whose_way_depends_on_its_numbers_is_told(dataset: Path, tmp_path: Path) -> None:
    config = MixtralConfig(**designs.SIZES, num_local_experts=4)
    config.save_pretrained(tmp_path)
    design = design_of(job_of(ModelSource(kind="folder", location=str(tmp_path)), dataset), 0)
    with pytest.raises(ModelError, match="MixtralForCausalLM takes cannot be worked out"):
        rehearse(design, LENGTHS, "fp32")
