"""What `ami train` learns from: bags, data sets, and what an earlier model learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ami_ros.app.recordings import extract_any
from ami_ros.config import dump_yaml, from_mapping, parse_yaml
from ami_ros.errors import AmiError
from ami_ros.learning import parallel
from ami_ros.learning.alignment import SLOW, AlignmentConfig
from ami_ros.learning.dataset import CARD, Dataset
from ami_ros.learning.extract import ExtractConfig
from ami_ros.learning.fleet_dataset import is_dataset, is_fleet, open_data
from ami_ros.learning.joined import Joined
from ami_ros.learning.pictures import Recording
from ami_ros.learning.provenance import Provenance, find_data
from ami_ros.learning.tub import tubs_at
from ami_ros.learning.tub_extract import usual_interval
from ami_ros.robots.derived import extraction_settings
from ami_ros.robots.description import RobotDescription
from ami_ros.world_model.identity import write_atomically
from ami_ros.world_model.spec import ModelSpec

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
