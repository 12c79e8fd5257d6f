"""What `ami scans` does: corridors and buildings -> drives -> fits of scans -> a network that tells which are right."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from ami_ros.cli.extract_run import progress_bar
from ami_ros.cli.scans import ScanJob
from ami_ros.cli.train_run import goes_on_later, tell_quality
from ami_ros.core.errors import AmiError
from ami_ros.core.processes import worker_pool
from ami_ros.simulation.buildings.kinds import PREFIX, refuse_test_buildings
from ami_ros.simulation.corridors import draw_corridors
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model import torch_layers
from ami_ros.world_model.learning.scan_training import (
    FittedPairs,
    ScanConfig,
    building_pairs,
    corridor_pairs,
    fit_scans,
    joined_pairs,
    judge_scans,
)
from ami_ros.world_model.model_files import WEIGHTS, save_network
from ami_ros.world_model.scan_pairs import ScanPairNetwork

CORRIDORS = "corridors"
DRIVES = "drives"  # folder in which fits are kept until the network is written


def run(job: ScanJob) -> None:
    """Writes the network's folder.

    Raises:
        AmiError: there is nothing to learn from, or a building is for tests.
    """
    if not job.corridors + job.buildings:
        raise AmiError("scans: give --corridors or --buildings to learn from")
    console, began = Console(emoji=False, stderr=True), time.monotonic()
    torch.set_num_threads(job.workers or len(os.sched_getaffinity(0)))
    kinds = {CORRIDORS: job.corridors, "buildings": job.buildings}
    learned = [(kind, job.first + k) for kind, count in kinds.items() for k in range(count)]
    kept = [(kind, job.first + count + k) for kind, count in kinds.items() for k in range(job.held_out)]
    for kind, number in learned:
        if kind != CORRIDORS:
            refuse_test_buildings(f"{PREFIX}{number}", "scans")
    drawn = _drawn(job, learned + kept, console)
    pairs = joined_pairs(drawn[: len(learned)])
    torch.manual_seed(job.seed)
    network = torch_layers.network(ScanPairNetwork)
    keep = job.out / "scans_so_far.safetensors"
    with goes_on_later(console), progress_bar(console) as bar:
        task = bar.add_task("learning which fits are right", total=job.steps)
        config = ScanConfig(steps=job.steps, seed=job.seed)
        fit_scans(network, pairs, config, lambda done, loss: bar.update(task, completed=done), keep)
    save_network(job.out / WEIGHTS, network)
    keep.unlink(missing_ok=True)
    shutil.rmtree(job.out / DRIVES, ignore_errors=True)
    split = np.array_split(np.arange(len(learned), len(drawn)), len(kinds))
    found = {
        kind: asdict(judge_scans(network, joined_pairs([drawn[k] for k in rows])))
        for kind, rows in zip(kinds, split, strict=True)
    }
    known = {**kinds, "fits": len(pairs), "steps": job.steps, "seed": job.seed}
    tell_quality("held out", found, known, job.json, began, console)
    console.print(f"the network is in {job.out}")


def _drawn(job: ScanJob, asked: list[tuple[str, int]], console: Console) -> list[FittedPairs]:
    """The fits of each, in order; those that are on disk, of a run that was stopped, are not driven again."""
    folder = job.out / DRIVES
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{kind}_{number}_{job.seed}.npz" for kind, number in asked]
    missing = [k for k, file in enumerate(files) if not file.exists()]
    workers = min(job.workers or len(os.sched_getaffinity(0)), len(missing))
    with goes_on_later(console), progress_bar(console) as bar:
        task = bar.add_task("driving twice", total=len(asked), completed=len(asked) - len(missing))
        if missing:
            with worker_pool(workers) as pool:
                for future in [pool.submit(_drive, asked[k], job.seed, files[k]) for k in missing]:
                    future.result()
                    bar.advance(task)
    found = []
    for file in files:
        with np.load(file, allow_pickle=False) as kept:
            found.append(FittedPairs(**kept))
    return found


def _drive(asked: tuple[str, int], seed: int, file: Path) -> None:
    """The fits of one, into a file that is there once it is whole."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.npz")
    np.savez(partial, **vars(_fits(asked, seed)))
    os.replace(partial, file)


def _fits(asked: tuple[str, int], seed: int) -> FittedPairs:
    kind, number = asked
    rng = np.random.default_rng((seed, number, len(kind)))
    torch.set_num_threads(1)
    if kind == CORRIDORS:
        return corridor_pairs(draw_corridors(rng), rng)
    return building_pairs(load_world(f"{PREFIX}{number}"), rng)
