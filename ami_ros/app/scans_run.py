"""What `ami scans` does: corridors and buildings -> drives -> fits of scans -> a network that tells which are right."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ami_ros.app.extract_run import progress_bar
from ami_ros.errors import AmiError
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.learning.scan_drives import FittedPairs, building_pairs, corridor_pairs, joined_pairs
from ami_ros.learning.scan_phase import ScanConfig, fit_scans, judge_scans
from ami_ros.simulation.buildings.names import PREFIX, refuse_test_buildings
from ami_ros.simulation.corridors import draw_corridors
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.scan_pair_network import ScanPairNetwork, save_scan_pairs

CORRIDORS = "corridors"


@dataclass(frozen=True)
class ScanJob:
    """What the user asked for."""

    out: Path
    corridors: int
    buildings: int
    held_out: int  # of either
    first: int  # seed
    steps: int
    seed: int
    workers: int
    json: Path | None = None


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
    network = ScanPairNetwork()
    with progress_bar(console) as bar:
        task = bar.add_task("learning which fits are right", total=job.steps)
        config = ScanConfig(steps=job.steps, seed=job.seed)
        fit_scans(network, pairs, config, lambda done, loss: bar.update(task, completed=done))
    save_scan_pairs(job.out, network)
    split = np.array_split(np.arange(len(learned), len(drawn)), len(kinds))
    found = {
        kind: asdict(judge_scans(network, joined_pairs([drawn[k] for k in rows])))
        for kind, rows in zip(kinds, split, strict=True)
    }
    table = Table("held out", *found, box=None, padding=(0, 3, 0, 0))
    for name in found[CORRIDORS]:
        table.add_row(name, *(f"{column[name]:.3g}" for column in found.values()))
    console.print(table)
    console.print(f"the network is in {job.out}")
    if job.json is not None:
        known = {**kinds, "fits": len(pairs), "steps": job.steps, "seed": job.seed}
        figures = {f"{kind}_{name}": value for kind in found for name, value in found[kind].items()}
        write_json(job.json, known | figures | {"minutes": round((time.monotonic() - began) / 60, 2)} | hardware())


def _drawn(job: ScanJob, asked: list[tuple[str, int]], console: Console) -> list[FittedPairs]:
    """The fits of each, in order."""
    workers = min(job.workers or len(os.sched_getaffinity(0)), len(asked))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool, progress_bar(console) as bar:
        task = bar.add_task("driving twice", total=len(asked))
        found = []
        for pairs in pool.map(_fits, asked, [job.seed] * len(asked), chunksize=max(1, math.isqrt(len(asked)) // 4)):
            found.append(pairs)
            bar.update(task, advance=1)
    return found


def _fits(asked: tuple[str, int], seed: int) -> FittedPairs:
    kind, number = asked
    rng = np.random.default_rng((seed, number, len(kind)))
    torch.set_num_threads(1)
    if kind == CORRIDORS:
        return corridor_pairs(draw_corridors(rng), rng)
    return building_pairs(load_world(f"{PREFIX}{number}"), rng)
