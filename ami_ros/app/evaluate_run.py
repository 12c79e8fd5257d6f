"""The two halves of `ami evaluate`: figures on recordings, and drives in one process."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from ami_ros.app.train_run import open_dataset
from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop, LoopConfig
from ami_ros.evaluation.model_quality import measure_model
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel


def measure(
    loaded: LoadedModel, recordings: list[Path], scratch: Path, seed: int, console: Console
) -> dict[str, object]:
    """Prints and returns the figures of `measure_model`."""
    dataset = open_dataset(recordings, scratch, loaded.model.spec.period, console)
    if not dataset.card.has_truth:
        raise AmiError("evaluate: the recordings have no ground truth to compare with; record some in the simulator")
    figures = asdict(measure_model(loaded.model, dataset, seed))
    table = Table("figure", "value", title=f"{loaded.encoder_id} on {len(dataset)} frames, seed {seed}")
    for name, value in figures.items():
        table.add_row(name, f"{value:.3g}")
    console.print(table)
    return figures


def drive(
    loaded: LoadedModel,
    world: str,
    camera: str,
    memory: Path | None,
    use_memory: bool,
    goals: int,
    seed: int,
    console: Console,
) -> dict[str, object]:
    """Drives to goals, printing a line for each; returns success rates and trials."""
    if camera not in ("onboard", "ceiling"):
        raise AmiError(f"evaluate: no camera '{camera}'; known are onboard, ceiling")
    torch.set_num_threads(1)
    config = LoopConfig()
    config = replace(config, navigator=replace(config.navigator, use_memory=use_memory))
    simulator = Simulator(world, "onboard" if camera == "onboard" else "ceiling", seed=seed)
    loop = ClosedLoop(loaded, simulator, memory, config, seed)
    trials = []
    for trial in loop.run(goals):
        trials.append(trial)
        verdict = "reached" if trial.success else f"missed ({trial.error_msg or trial.status})"
        console.print(
            f"{len(trials):3d} {trial.kind:4s} {verdict}: {trial.final_distance_m:.2f} m, "
            f"{trial.heading_error_rad:.2f} rad off after {trial.time_s:.0f} s",
            highlight=False,
        )
    rates = {k: SuccessRate.of(t.success for t in trials if t.kind == k) for k in ("near", "far")}
    for kind, rate in rates.items():
        console.print(f"{kind}: {rate}", highlight=False)
    collisions = sum(t.collisions for t in trials)
    console.print(f"collisions: {collisions}", highlight=False)
    figures: dict[str, object] = {kind: rate.to_json() for kind, rate in rates.items()}
    return figures | {"collisions": collisions, "goals": [t.to_json() for t in trials]}
