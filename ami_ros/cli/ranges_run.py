"""What `ami ranges` does: buildings -> views -> a network that guesses from a picture how far off things are."""

from __future__ import annotations

import os
import time
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from ami_ros.cli.extract_run import progress_bar
from ami_ros.cli.pairs_run import buildings_of, draw_missing
from ami_ros.cli.ranges import RangeJob
from ami_ros.cli.train_run import goes_on_later, has_bfloat16, tell_quality
from ami_ros.core.errors import AmiError
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model import torch_layers
from ami_ros.world_model.learning.range_training import RangeConfig, fit_ranges, judge_ranges, ranges_in
from ami_ros.world_model.learning.views import ViewConfig, Views, joined, load_views
from ami_ros.world_model.picture_scan import SIZE, RangeNetwork, save_ranges
from ami_ros.world_model.torch_model import load_model


def run(job: RangeJob) -> None:
    """Writes the network's folder.

    Raises:
        AmiError: a building is for tests, or learned from and held out; the model has no camera that is calibrated.
    """
    console = Console(emoji=False, stderr=True)
    torch.set_num_threads(job.threads or len(os.sched_getaffinity(0)))
    model = load_model(job.model).model
    angle = model.spec.inputs.field_of_view
    if model.pairs is None or not angle:
        raise AmiError(
            f"ranges: model {job.model} does not compare pictures of a camera that it knows; see ./ami pairs"
        )
    drawn, kept = buildings_of(job, "ranges")
    learned = _seen(job, drawn, angle, console)
    held_out = _seen(job, kept, angle, console)
    began = time.monotonic()
    torch.manual_seed(job.seed)
    network = torch_layers.network(RangeNetwork, model.pairs.features)
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
        found[f"{what} pictures"] = asdict(judge_ranges(network, held_out[0].of(rows), held_out[1][rows], job.seed))
    known = {"buildings": len(drawn), "steps": job.steps, "seed": job.seed}
    tell_quality("in buildings held out", found, known, job.json, began, console)
    console.print(f"the network is in {job.out}")


def _seen(job: RangeJob, buildings: list[str], angle: float, console: Console) -> tuple[Views, NDArray[np.float32]]:
    """Views of all buildings, and what they show."""
    config = ViewConfig(size=SIZE, field_of_view=angle)
    files = draw_missing(buildings, job.views, config, job.workers, console, "ranges")
    views = [load_views(file) for file in files]
    parts = [ranges_in(load_world(name), seen) for name, seen in zip(buildings, views, strict=True)]
    return joined(views), np.concatenate(parts)
