"""Data sets of bags, Donkeycar tubs or a LeRobotDataset; and bags of the simulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ami_ros.cli.progress import progress_bar, reporting
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative, wrap
from ami_ros.core.processes import links, worker_pool
from ami_ros.core.robots.derived import extraction_settings
from ami_ros.core.robots.description import RobotDescription
from ami_ros.memory.fleet.recordings import is_dataset, open_data
from ami_ros.world_model.learning.alignment import AlignmentConfig
from ami_ros.world_model.learning.bag_reader import OLD
from ami_ros.world_model.learning.collection import CollectionConfig, record_run, run_folder
from ami_ros.world_model.learning.dataset import CARD, Dataset, Progress
from ami_ros.world_model.learning.extract import ExtractConfig, extract
from ami_ros.world_model.learning.lerobot_export import is_lerobot
from ami_ros.world_model.learning.lerobot_import import import_lerobot
from ami_ros.world_model.learning.tub import extract_tubs, tubs_at
from ami_ros.world_model.spec import ModelSpec


def find_bags(path: Path) -> list[Path]:
    """The bag at `path`, or all bags right below it, by name.

    Raises:
        AmiError: there is none.
    """

    def is_bag(at: Path) -> bool:
        if at.is_dir():
            return any(any(at.glob(kind)) for kind in ("metadata.yaml", "*.mcap", "*.db3"))
        return at.suffix == OLD and at.is_file()

    if path.is_file() or is_bag(path):
        return [path]
    bags = sorted(filter(is_bag, path.glob("*")))
    if not bags:
        raise AmiError(f"{path} is no bag and holds none; record some with ./ami collect or ./ami record")
    return bags


def extract_any(recordings: Sequence[Path], out: Path, config: ExtractConfig, console: Console) -> Dataset:
    """The new data set `out` from recordings of one kind, with a progress bar.

    Raises:
        AmiError: they are of several kinds, or cannot be read, see `extract`.
    """
    read: Callable[[Progress], Dataset]
    if any(is_lerobot(path) for path in recordings):
        if len(recordings) > 1:
            raise AmiError("extract: one LeRobotDataset makes one data set; ./ami train takes several data sets")
        read = partial(import_lerobot, recordings[0], out, config)
    elif any(tubs := [tubs_at(path) for path in recordings]):
        if not all(tubs):
            other = next(path for path, found in zip(recordings, tubs, strict=True) if not found)
            raise AmiError(f"{other} is no Donkeycar tub, others are: make a data set of each kind by itself")
        read = partial(extract_tubs, [tub for found in tubs for tub in found], out, config)
    else:
        read = partial(extract, [bag for path in recordings for bag in find_bags(path)], out, config)
    with reporting(f"reading {len(recordings)} recordings", console=console) as report:
        return read(report)


def open_dataset(
    recordings: list[Path], out: Path, spec: ModelSpec, console: Console, robot: RobotDescription | None = None
) -> Dataset:
    """The one data set among `recordings`, or one made for `spec` from all recordings in them, kept in `out` / dataset.

    Args:
        robot: that recorded them, which says what its topics are; None: they are found by type.
    """
    if len(recordings) == 1 and is_dataset(recordings[0]):
        return fit_for(open_data(recordings[0]), spec)
    folder = out / "dataset"
    if not (folder / CARD).is_file():
        own = extraction_settings(robot) if robot is not None else {}
        own |= {"field_of_view": spec.inputs.field_of_view, "narrowest": spec.inputs.narrowest}
        own |= {"lateral": spec.command_dim == 3, "pictures": spec.inputs.image_size > 0}
        config = replace(from_mapping(ExtractConfig, own), alignment=AlignmentConfig(period=spec.period))
        return fit_for(extract_any(recordings, folder, config, console), spec)
    return fit_for(Dataset(folder), spec)


def fit_for(dataset: Dataset, spec: ModelSpec) -> Dataset:
    """The data set; raises AmiError where the model needs pictures that it does not have."""
    if spec.inputs.image_size and not dataset.card.image_size[0]:
        raise AmiError(f"{dataset.folder} has no pictures, and the model needs them: take one of scans (models/laser)")
    return dataset


def report(dataset: Dataset, console: Console) -> None:
    """Prints what is in a data set, what was left out and why, and what looks wrong."""
    card = dataset.card
    table = Table("what", "", title=f"{dataset.folder}", show_header=False, title_justify="left")
    table.add_row(
        "frames", f"{card.frames:,} in {card.episodes} episodes, {card.minutes:g} min, {card.period:g} s apart"
    )
    table.add_row("pictures", f"{card.image_size[0]}x{card.image_size[1]} px")
    table.add_row("scan", f"{card.scan_beams} beams" if card.scan_beams else "none")
    table.add_row("true pose", "yes" if card.has_truth else "no")
    if card.has_odometry:
        driven, turned = distance(dataset)
        table.add_row("driven, turned", f"{driven:.0f} m, {turned:.0f} rad")
    lacks = [name for name, there in (("odometry", card.has_odometry), ("commands", card.has_command)) if not there]
    if lacks:
        table.add_row("without", " and ".join(lacks))
    if dataset.imu.shape[1]:
        table.add_row("imu", f"in {np.isfinite(dataset.imu).all(1).mean():.0%} of the frames")
    for reason, count in card.dropped.items():
        table.add_row("left out", f"{count:,} {reason}")
    console.print(table)
    for complaint in complaints(dataset):
        console.print(complaint, style="yellow", soft_wrap=True)


def complaints(dataset: Dataset) -> list[str]:
    """What looks wrong in a data set, a line each."""
    found = []
    for source in dataset.card.sources:
        found += [f"{source['path']}: {problem}" for problem in source["problems"]]
        if not source["frames"]:
            found.append(f"{source['path']}: nothing usable")
    if dataset.card.has_odometry and (driven := distance(dataset)[0]) < 1.0:
        found.append(f"the robot drove {driven:.2f} m only: a model learns nothing from that")
    return found


def distance(dataset: Dataset) -> tuple[float, float]:
    """How far [m] and how much [rad] the robot moved in all episodes together."""
    metres = radians = 0.0
    for start, stop in dataset.episodes:
        motion = relative(dataset.odometry[start : stop - 1], dataset.odometry[start + 1 : stop])
        metres += float(np.hypot(motion[:, 0], motion[:, 1]).sum())
        radians += float(np.abs(wrap(motion[:, 2])).sum())
    return metres, radians


def collect_runs(out: Path, config: CollectionConfig, missing: list[int], workers: int, console: Console) -> int:
    """Records the runs that are `missing` side by side; returns the number of contacts over all of them.

    Raises AmiError, or KeyboardInterrupt after saying how to go on.
    """
    lengths = config.run_lengths()
    done: Any = get_context("spawn").Array("q", len(lengths))  # steps of each run
    total = sum(lengths[run] for run in missing)
    try:
        with worker_pool(min(workers, len(missing)), learns=False, done=done) as pool, progress_bar(console) as bar:
            futures = [pool.submit(_record, out, config, run) for run in missing]
            task, begun, running = bar.add_task("collecting", total=total), time.monotonic(), set(futures)
            while running:
                finished, running = wait(running, timeout=0.5)
                for future in finished:
                    future.result()  # raises what went wrong, at once
                steps = sum(done)
                rate = f"collecting, {steps / (time.monotonic() - begun):.0f} steps/s"
                bar.update(task, completed=steps, description=rate)
            return sum(future.result() for future in futures)
    except BaseException:
        complete = sum(run_folder(out, run).exists() for run in range(len(lengths)))
        kept = f"{complete} complete runs are kept in {out}"
        console.print(f"interrupted: run the command again to go on, {kept}", soft_wrap=True)
        raise


def _record(out: Path, config: CollectionConfig, run: int) -> int:
    def tick() -> None:
        links["done"][run] += 1

    return record_run(out, config, run, tick)
