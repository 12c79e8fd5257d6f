"""Data sets of recordings, whatever their kind: bags, Donkeycar tubs, a LeRobotDataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from ami_ros.cli.extract_run import progress_bar
from ami_ros.core.config import dump_yaml, from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.derived import extraction_settings
from ami_ros.core.robots.description import RobotDescription
from ami_ros.memory.fleet.recordings import is_dataset, is_fleet, open_data
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.alignment import SLOW, AlignmentConfig
from ami_ros.world_model.learning.bag_reader import OLD
from ami_ros.world_model.learning.card import Provenance, find_data
from ami_ros.world_model.learning.dataset import CARD, Dataset, Progress
from ami_ros.world_model.learning.extract import ExtractConfig, extract
from ami_ros.world_model.learning.lerobot_export import is_lerobot
from ami_ros.world_model.learning.lerobot_import import import_lerobot
from ami_ros.world_model.learning.tub import extract_tubs, tubs_at, usual_interval
from ami_ros.world_model.learning.windows import Joined, Recording
from ami_ros.world_model.model_files import write_atomically
from ami_ros.world_model.spec import ModelSpec

# Recordings by their kind: bags, Donkeycar tubs, a LeRobotDataset.


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


# What `ami train` learns from: bags, data sets, and what an earlier model learned from.

CAMERA_PERIODS = (0.1, 0.25, 0.5)  # [s] of models of tubs, whose cameras have 20 Hz as a rule
CAMERA_STEP = 0.5  # [s] that such a model looks ahead at once
VERSIONS = "versions.yaml"  # of the fleets' data sets that a training under way reads


def lack_odometry(recordings: Sequence[Path]) -> bool:
    """Whether none of these recordings has odometry: tubs, or data sets made of them."""
    return all(
        not open_data(path).card.has_odometry if is_dataset(path) else bool(tubs_at(path)) for path in recordings
    )


def camera_timing(recordings: Sequence[Path]) -> dict[str, float | int]:
    """Period [s] and chunk of a model of tubs: the usual ones, or those that slower cameras need."""
    slowest = 0.0
    for path in recordings:
        known = [open_data(path).period] if is_dataset(path) else map(usual_interval, tubs_at(path))
        slowest = max([slowest, *known])
    period = next((p for p in CAMERA_PERIODS if slowest <= SLOW * p), CAMERA_PERIODS[-1])
    return {"period": period, "chunk": round(CAMERA_STEP / period)}


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


def open_datasets(
    recordings: list[Path], out: Path, spec: ModelSpec, console: Console, robot: RobotDescription | None = None
) -> list[Dataset]:
    """All data sets among `recordings`, and behind them one extracted from all recordings, kept in `out` / dataset.

    Of several processes the first one extracts, while the others wait.
    """
    datasets = [_as_it_began(path, out) for path in recordings if is_dataset(path)]
    bags = [path for path in recordings if not is_dataset(path)]
    if not bags:
        return datasets
    if parallel.rank() == 0:
        open_dataset(bags, out, spec, console, robot)
    parallel.wait_for_first()
    return [*datasets, open_dataset(bags, out, spec, console, robot)]


def _as_it_began(path: Path, out: Path) -> Dataset:
    """A data set; of a fleet's the version that this training began with, whatever robots add meanwhile.

    Processes that train together, and a command that is repeated after an interruption, so learn from the same rows.
    """
    if not is_fleet(path):
        return Dataset(path)
    file, name, known = out / VERSIONS, str(path.resolve()), dict[str, int]()
    if parallel.rank() == 0:
        known = parse_yaml(file.read_text("utf-8")) if file.is_file() else {}
        if name not in known:
            known[name] = open_data(path).version
            write_atomically(file, dump_yaml(known).encode())
    return open_data(path, int(parallel.from_first(b"%d" % known.get(name, 0))))


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
    start: Path, origin: Provenance | None, replay: list[Path], new: list[Dataset], out: Path, console: Console
) -> list[Dataset]:
    """The old data of the model in `start`: those named, else what its folder remembers; without what is `new`.

    Args:
        start: the model's folder.
        origin: of that model.
        replay: data sets that the user names.
        new: what is trained on anyway.
        out: folder of the training.
        console: for what is missing.
    """
    missing: list[str] = []
    if replay:
        old = [_as_it_began(path, out) for path in replay]
    elif origin is not None:
        old, missing = find_data(start, origin)
    else:
        old, missing = [], [f"what {start} learned from (it does not say)"]
    for what in missing:
        console.print(f"not replayed, as it is not there: {what}; name it by --replay", style="yellow", soft_wrap=True)
    known = {dataset.card.checksum for dataset in new}
    return [dataset for dataset in old if dataset.card.checksum not in known]
