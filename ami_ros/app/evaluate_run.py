"""The two halves of `ami evaluate`: figures on recordings, and drives in one process."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import TaskID
from rich.table import Table

from ami_ros import __version__
from ami_ros.app.extract_run import progress_bar
from ami_ros.app.quality_page import FLOORS, quality_page
from ami_ros.app.train_data import open_dataset
from ami_ros.errors import AmiError
from ami_ros.evaluation.album import make_album
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.model_quality import measure_model
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.hardware import processor_name
from ami_ros.learning.card import write_measurements
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.identity import write_atomically


def measure(
    loaded: LoadedModel,
    recordings: list[Path],
    scratch: Path,
    page: Path,
    card: Path | None,
    frames: int,
    seed: int,
    console: Console,
) -> dict[str, object]:
    """Prints and returns the figures of `measure_model`, and writes the page; with `card` also into that folder's."""
    torch.set_num_threads(1)  # small networks: on a busy machine two threads wait for each other
    dataset = open_dataset(recordings, scratch, loaded.model.spec, console)
    with progress_bar(console) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        quality = measure_model(loaded.model, dataset, seed, frames, report)
    figures: dict[str, object] = dict(quality.figures())
    _print(f"{loaded.encoder_id} on {recordings[0]}, seed {seed}", figures, console)
    album = make_album(quality.encoded, quality.foresight, np.random.default_rng(seed))
    sample = f"{figures['tested_frames']:,} of {figures['frames']:,} frames, seed {seed}"
    html = quality_page(
        f"{loaded.encoder_id} on {recordings[0].resolve().name}",
        f"{sample}. The model has not been trained on them; probes learned from the other frames.",
        f"{processor_name()}; ami_ros {__version__}; ./ami {shlex.join(sys.argv[1:])}",
        quality,
        figures,
        album,
    )
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, html.encode())
        if card is not None:
            write_measurements(card, f"`{recordings[0].resolve().name}`, {sample}", figures)
    except OSError as error:
        raise AmiError(f"evaluate: cannot write {page} ({error.strerror}); choose another --report") from error
    console.print(f"report: {page}", soft_wrap=True)
    return figures


def _print(title: str, figures: dict[str, object], console: Console) -> None:
    limits = {floor.figure: floor for floor in FLOORS}
    table = Table("figure", "value", "floor", title=title)
    for name, value in figures.items():
        rule = style = ""
        if name in limits and isinstance(value, int | float):
            rule, style = limits[name].rule(), "green" if limits[name].reached(value) else "red"
        table.add_row(name, f"{value:.3g}" if isinstance(value, float) else str(value), rule, style=style)
    console.print(table)


def drive(
    loaded: LoadedModel,
    world: str,
    robot: str | None,
    memory: Path | None,
    use_memory: bool,
    goals: int,
    seed: int,
    console: Console,
) -> dict[str, object]:
    """Drives to goals, printing a line for each; returns success rates and trials."""
    torch.set_num_threads(1)
    config = LoopConfig()
    config = config.navigating(replace(config.agent.navigator, use_memory=use_memory))
    simulator = Simulator(world, robot or simulated_robot(loaded.model.spec), seed=seed)
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
