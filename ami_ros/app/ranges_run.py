"""What `ami ranges` does: buildings -> views -> a network that guesses from a picture how far off things are."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ami_ros.app.extract_run import progress_bar
from ami_ros.app.pairs_run import draw_missing
from ami_ros.app.train_run import goes_on_later, has_bfloat16
from ami_ros.errors import AmiError
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.learning.range_phase import RangeConfig, fit_ranges, judge_ranges, ranges_in
from ami_ros.learning.views import ViewConfig, Views, joined, load_views
from ami_ros.simulation.buildings.names import BARE, PREFIX
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.checkpoint import load_model
from ami_ros.world_model.picture_scan import SIZE
from ami_ros.world_model.range_network import RangeNetwork, save_ranges


@dataclass(frozen=True)
class RangeJob:
    """What the user asked for."""

    model: Path
    out: Path
    views: Path
    learned: tuple[int, ...]  # seeds of buildings
    held_out: tuple[int, ...]
    bare: int  # plain buildings to learn from besides
    steps: int
    seed: int
    workers: int
    threads: int
    json: Path | None = None


def run(job: RangeJob) -> None:
    """Writes the network's folder.

    Raises:
        AmiError: a building is for tests, or learned from and held out; the model has no camera that is calibrated.
    """
    console = Console(emoji=False, stderr=True)
    if set(job.learned) & set(job.held_out):
        raise AmiError("ranges: buildings to learn from must not be held out as well; choose other seeds")
    torch.set_num_threads(job.threads or len(os.sched_getaffinity(0)))
    model = load_model(job.model).model
    angle = model.spec.inputs.field_of_view
    if model.pairs is None or not angle:
        raise AmiError(
            f"ranges: model {job.model} does not compare pictures of a camera that it knows; see ./ami pairs"
        )
    drawn = [f"{PREFIX}{seed}" for seed in job.learned] + [f"{PREFIX}{BARE}:{seed}" for seed in range(job.bare)]
    learned = _seen(job, drawn, angle, console)
    held_out = _seen(job, [f"{PREFIX}{seed}" for seed in job.held_out], angle, console)
    began = time.monotonic()
    torch.manual_seed(job.seed)
    network = RangeNetwork(model.pairs.features)
    config = RangeConfig(steps=job.steps, seed=job.seed, bfloat16=has_bfloat16())
    keep = job.out / "ranges_so_far.safetensors"
    with goes_on_later(console), progress_bar(console) as bar:
        task = bar.add_task("looking how far off things are", total=job.steps)
        fit_ranges(network, *learned, config, lambda done, loss: bar.update(task, completed=done), keep)
    save_ranges(job.out, network, angle)
    keep.unlink(missing_ok=True)
    found = {}
    for what, narrow in (("whole", False), ("narrow", True)):
        rows = held_out[0].rows_of_cameras(narrow)
        found[what] = asdict(judge_ranges(network, held_out[0].of(rows), held_out[1][rows], job.seed))
    table = Table("in buildings held out", *(f"{what} pictures" for what in found), box=None, padding=(0, 3, 0, 0))
    for name in found["whole"]:
        table.add_row(name, *(f"{column[name]:.3g}" for column in found.values()))
    console.print(table)
    console.print(f"the network is in {job.out}")
    if job.json is not None:
        known = {"buildings": len(drawn), "steps": job.steps, "seed": job.seed}
        figures = {f"{what}_{name}": value for what in found for name, value in found[what].items()}
        write_json(job.json, known | figures | {"minutes": round((time.monotonic() - began) / 60, 2)} | hardware())


def _seen(job: RangeJob, buildings: list[str], angle: float, console: Console) -> tuple[Views, NDArray[np.float32]]:
    """Views of all buildings, and what they show."""
    config = ViewConfig(size=SIZE, field_of_view=angle)
    files = draw_missing(buildings, job.views, config, job.workers, console, "ranges")
    views = [load_views(file) for file in files]
    parts = [ranges_in(load_world(name), seen) for name, seen in zip(buildings, views, strict=True)]
    return joined(views), np.concatenate(parts)
