"""Extraction with progress, and what there is to say of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from ami_ros.geometry import relative, wrap
from ami_ros.learning.carmen import extract_carmen
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.extract import ExtractConfig, extract
from ami_ros.learning.lerobot_import import import_lerobot

LITTLE = 1.0  # driven less than this [m], there is nothing to learn from


def progress_bar(console: Console) -> Progress:
    """One line with a bar, a count and the time left."""
    words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (words, BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, expand=True)


def extract_bags(bags: list[Path], out: Path, config: ExtractConfig, console: Console) -> Dataset:
    """`extract` with a progress bar."""
    with progress_bar(console) as bar:
        task = bar.add_task(f"reading {len(bags)} bags", total=None)
        return extract(bags, out, config, lambda done, total: bar.update(task, completed=done, total=total))


def extract_logs(logs: list[Path], out: Path, config: ExtractConfig, console: Console) -> Dataset:
    """`extract_carmen` with a progress bar."""
    with progress_bar(console) as bar:
        task = bar.add_task(f"reading {len(logs)} logs", total=len(logs))
        return extract_carmen(logs, out, config, lambda done, total: bar.update(task, completed=done, total=total))


def extract_lerobot(folder: Path, out: Path, config: ExtractConfig, console: Console) -> Dataset:
    """`import_lerobot` with a progress bar."""
    with progress_bar(console) as bar:
        task = bar.add_task("reading frames", total=None)
        return import_lerobot(folder, out, config, lambda done, total: bar.update(task, completed=done, total=total))


def report(dataset: Dataset, console: Console) -> None:
    """Prints what is in a data set, what was left out and why, and what looks wrong."""
    card = dataset.card
    driven, turned = distance(dataset)
    table = Table("what", "", title=f"{dataset.folder}", show_header=False, title_justify="left")
    table.add_row(
        "frames", f"{card.frames:,} in {card.episodes} episodes, {card.minutes:g} min, {card.period:g} s apart"
    )
    table.add_row("pictures", f"{card.image_size[0]}x{card.image_size[1]} px")
    table.add_row("scan", f"{card.scan_beams} beams" if card.scan_beams else "none")
    table.add_row("compass, true pose", f"{_there(card.has_heading)}, {_there(card.has_truth)}")
    if card.joints:
        table.add_row("joints", ", ".join(card.joints))
    table.add_row("driven, turned", f"{driven:.0f} m, {turned:.0f} rad")
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
    driven, _ = distance(dataset)
    if driven < LITTLE:
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


def _there(is_there: bool) -> str:
    return "yes" if is_there else "no"
