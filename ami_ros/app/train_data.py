"""What `ami train` learns from: bags, data sets, and what an earlier model learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ami_ros.app.extract_run import extract_bags
from ami_ros.config import from_mapping
from ami_ros.errors import AmiError
from ami_ros.learning import parallel
from ami_ros.learning.alignment import AlignmentConfig
from ami_ros.learning.dataset import CARD, Dataset
from ami_ros.learning.extract import ExtractConfig
from ami_ros.learning.joined import Joined
from ami_ros.learning.pictures import Recording
from ami_ros.learning.provenance import Provenance, find_data
from ami_ros.robots.derived import extraction_settings
from ami_ros.robots.description import RobotDescription
from ami_ros.world_model.spec import ModelSpec


def find_bags(path: Path) -> list[Path]:
    """The bag at `path`, or all bags right below it, by name.

    Raises:
        AmiError: there is none.
    """

    def is_bag(folder: Path) -> bool:
        return any(folder.glob("metadata.yaml")) or any(folder.glob("*.mcap")) or any(folder.glob("*.db3"))

    if path.is_file() or is_bag(path):
        return [path]
    bags = sorted(folder for folder in path.glob("*") if folder.is_dir() and is_bag(folder)) if path.is_dir() else []
    if not bags:
        raise AmiError(f"{path} is no bag and holds none; record some with ./ami collect or ./ami record")
    return bags


def open_dataset(
    recordings: list[Path], out: Path, spec: ModelSpec, console: Console, robot: RobotDescription | None = None
) -> Dataset:
    """The one data set among `recordings`, or one made for `spec` from all bags in them, kept in `out` / dataset.

    Args:
        robot: that recorded them, which says what its topics are; None: they are found by type.
    """
    if len(recordings) == 1 and (recordings[0] / CARD).is_file():
        return Dataset(recordings[0])
    bags = [bag for path in recordings for bag in find_bags(path)]
    folder = out / "dataset"
    if not (folder / CARD).is_file():
        own = extraction_settings(robot) if robot is not None else {}
        own |= {"field_of_view": spec.inputs.field_of_view, "narrowest": spec.inputs.narrowest}
        own |= {"lateral": spec.command_dim == 3, "pictures": spec.inputs.image_size > 0}
        config = replace(from_mapping(ExtractConfig, own), alignment=AlignmentConfig(period=spec.period))
        return extract_bags(bags, folder, config, console)
    return Dataset(folder)


def open_datasets(
    recordings: list[Path], out: Path, spec: ModelSpec, console: Console, robot: RobotDescription | None = None
) -> list[Dataset]:
    """All data sets among `recordings`, and behind them one extracted from all bags, kept in `out` / dataset.

    Of several processes the first one extracts, while the others wait.
    """
    datasets = [Dataset(path) for path in recordings if (path / CARD).is_file()]
    bags = [path for path in recordings if not (path / CARD).is_file()]
    if not bags:
        return datasets
    if parallel.rank() == 0:
        open_dataset(bags, out, spec, console, robot)
    parallel.wait_for_first()
    return [*datasets, open_dataset(bags, out, spec, console, robot)]


def with_camera(spec: ModelSpec, datasets: Sequence[Dataset]) -> ModelSpec:
    """The spec, knowing the camera that all pictures were brought to, where that is known.

    Raises:
        AmiError: some were brought to another camera than others, or than the model's.
    """
    fields = (*(d.field_of_view for d in datasets), spec.inputs.field_of_view)
    known = {round(field, 6): field for field in fields if field}  # the spec's own digits stay
    if len(known) > 1:
        names = ", ".join(f"{field:g}" for field in sorted(known))
        raise AmiError(f"pictures are of different cameras (field_of_view {names} rad): extract all with the same one")
    return replace(spec, inputs=replace(spec.inputs, field_of_view=max(known.values(), default=0.0)))


def as_one(datasets: list[Dataset]) -> Recording:
    """Several data sets as one recording."""
    return datasets[0] if len(datasets) == 1 else Joined(datasets)


def find_replay(
    start: Path, origin: Provenance | None, replay: list[Path], new: list[Dataset], console: Console
) -> list[Dataset]:
    """The old data of the model in `start`: those named, else what its folder remembers; without what is `new`.

    Args:
        start: the model's folder.
        origin: of that model.
        replay: data sets that the user names.
        new: what is trained on anyway.
        console: for what is missing.
    """
    missing: list[str] = []
    if replay:
        old = [Dataset(path) for path in replay]
    elif origin is not None:
        old, missing = find_data(start, origin)
    else:
        old, missing = [], [f"what {start} learned from (it does not say)"]
    for what in missing:
        console.print(f"not replayed, as it is not there: {what}; name it by --replay", style="yellow", soft_wrap=True)
    known = {dataset.card.checksum for dataset in new}
    return [dataset for dataset in old if dataset.card.checksum not in known]
