"""Where a model comes from: the file in its folder by which a later training finds the data again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ami_ros.config import dump_yaml, from_mapping, parse_yaml, to_mapping
from ami_ros.errors import AmiError
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.fleet_dataset import open_data
from ami_ros.world_model.identity import write_atomically

FILE = "provenance.yaml"


@dataclass(frozen=True)
class Data:
    """A data set, by its place and its content."""

    path: str  # relative to the model's folder
    checksum: str
    frames: int
    version: int = 0  # of a fleet's data set


@dataclass(frozen=True)
class Provenance:
    """What made a model."""

    preset: str
    settings: tuple[str, ...]  # key=value, what replaced the preset's
    steps: int
    seed: int
    data: tuple[Data, ...]  # new data first, then what was replayed


def write_provenance(
    folder: Path, preset: str, settings: Sequence[str], steps: int, seed: int, datasets: Sequence[Dataset]
) -> None:
    """Writes `FILE` into a model's folder."""
    base = folder.resolve()
    data = tuple(Data(os.path.relpath(d.folder.resolve(), base), d.card.checksum, len(d), d.version) for d in datasets)
    origin = Provenance(preset, tuple(settings), steps, seed, data)
    write_atomically(folder / FILE, dump_yaml(to_mapping(origin)).encode())


def read_provenance(folder: Path) -> Provenance | None:
    """The origin of the model in `folder`; None where nothing tells.

    Raises:
        AmiError: the file is there but not readable.
    """
    try:
        values = parse_yaml((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise AmiError(f"{folder / FILE} cannot be read: {' '.join(str(error).split())}; remove it") from error
    return from_mapping(Provenance, values, str(folder / FILE))


def find_data(folder: Path, origin: Provenance) -> tuple[list[Dataset], list[str]]:
    """The data sets that the model in `folder` was made from, as far as they are there, and those that are not."""
    found, missing = [], []
    for data in origin.data:
        path = Path(os.path.normpath(folder.resolve() / data.path))
        try:
            dataset = open_data(path, data.version)
        except AmiError:
            missing.append(str(path))
            continue
        if dataset.card.checksum == data.checksum:
            found.append(dataset)
        else:
            missing.append(f"{path} (it holds other data now)")
    return found, missing
