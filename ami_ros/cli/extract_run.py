"""Extraction with progress, and what there is to say of a data set."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from ami_ros.core.geometry import relative, wrap
from ami_ros.world_model.learning.dataset import Dataset

LITTLE = 1.0  # driven less than this [m], there is nothing to learn from


def progress_bar(console: Console) -> Progress:
    """One line with a bar, a count and the time left."""
    words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (words, BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, expand=True)


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
    if dataset.card.has_odometry and (driven := distance(dataset)[0]) < LITTLE:
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
