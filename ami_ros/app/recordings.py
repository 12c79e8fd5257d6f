"""Recordings by their kind: bags, Donkeycar tubs, a LeRobotDataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from ami_ros.app.extract_run import progress_bar
from ami_ros.errors import AmiError
from ami_ros.learning.bag_reader import OLD
from ami_ros.learning.dataset import Dataset, Progress
from ami_ros.learning.extract import ExtractConfig, extract
from ami_ros.learning.lerobot_import import import_lerobot
from ami_ros.learning.lerobot_layout import is_lerobot
from ami_ros.learning.tub import tubs_at
from ami_ros.learning.tub_extract import extract_tubs


def find_bags(path: Path) -> list[Path]:
    """The bag at `path`, or all bags right below it, by name.

    Raises:
        AmiError: there is none.
    """

    def is_bag(folder: Path) -> bool:
        return any(folder.glob("metadata.yaml")) or any(folder.glob("*.mcap")) or any(folder.glob("*.db3"))

    def is_old(file: Path) -> bool:
        return file.suffix == OLD and file.is_file()

    if path.is_file() or is_bag(path):
        return [path]
    bags = sorted(bag for bag in path.glob("*") if is_old(bag) or (bag.is_dir() and is_bag(bag)))
    if not bags:
        raise AmiError(f"{path} is no bag and holds none; record some with ./ami collect or ./ami record")
    return bags


def find_tubs(recordings: Sequence[Path]) -> list[Path]:
    """All tubs in `recordings`; empty where they are of another kind.

    Raises:
        AmiError: some are tubs, others are not.
    """
    found = [tubs_at(path) for path in recordings]
    if any(found) and not all(found):
        other = next(path for path, tubs in zip(recordings, found, strict=True) if not tubs)
        raise AmiError(f"{other} is no Donkeycar tub, others are: make a data set of each kind by itself")
    return [tub for tubs in found for tub in tubs]


def extract_any(recordings: Sequence[Path], out: Path, config: ExtractConfig, console: Console) -> Dataset:
    """The new data set `out` from recordings of one kind, with a progress bar.

    Raises:
        AmiError: they are of several kinds, or cannot be read, see `extract`.
    """
    read = _reader(recordings, out, config)
    with progress_bar(console) as bar:
        task = bar.add_task(f"reading {len(recordings)} recordings", total=None)
        return read(lambda done, total: bar.update(task, completed=done, total=total))


def _reader(recordings: Sequence[Path], out: Path, config: ExtractConfig) -> Callable[[Progress], Dataset]:
    """What makes a data set of recordings of their kind, and reports how far it is. Raises AmiError like
    `extract_any`."""
    if any(is_lerobot(path) for path in recordings):
        if len(recordings) > 1:
            raise AmiError("extract: one LeRobotDataset makes one data set; ./ami train takes several data sets")
        return partial(import_lerobot, recordings[0], out, config)
    if tubs := find_tubs(recordings):
        return partial(extract_tubs, tubs, out, config)
    return partial(extract, [bag for path in recordings for bag in find_bags(path)], out, config)
