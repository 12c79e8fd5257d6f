"""The recordings of a fleet as a data set: rows are fetched from Lance when they are asked for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import from_mapping
from ami_ros.errors import AmiError
from ami_ros.extras import need
from ami_ros.learning.alignment import COLUMNS
from ami_ros.learning.dataset import CARD, Dataset, DatasetCard
from ami_ros.places.fleet import FRAMES, PLACES, told

Rows = NDArray[np.int64]
Fetch = Callable[[Rows, str], Any]


def is_dataset(path: Path) -> bool:
    """Whether `open_data` is for it: a data set, or the folder of a fleet."""
    return (path / CARD).is_file() or is_fleet(path)


def open_data(path: Path, version: int = 0) -> Dataset:
    """A data set on disk, or the recordings of a fleet; of those a version, 0 for the newest. Raises AmiError."""
    return FleetDataset(path, version) if is_fleet(path) else Dataset(path)


def is_fleet(path: Path) -> bool:
    """Whether the memories or the recordings of a fleet are there."""
    return (path / FRAMES).is_dir() or (path / PLACES).is_dir()


class FleetDataset(Dataset):
    """The recordings of one kind in one version of a fleet's data set; `card.sources` tells those that were left out.

    Only what is needed to draw windows is in memory: poses, commands and where episodes are. What robots add meanwhile
    does not count. A stretch that was dropped divides its episode; `runs` are (start, stop) of the whole ones.

    Args:
        folder: of the data set.
        version: 0: the newest.

    Raises:
        AmiError: no such extra, no recordings, or a version that is not there; reading rows raises it, too.
    """

    def __init__(self, folder: Path, version: int = 0) -> None:
        self.folder, lance = Path(folder), need("lance", "lance")
        if not (folder / FRAMES).is_dir():
            raise AmiError(f"{folder} has no recordings: add some by ./ami fleet export DATASET {folder} --robot NAME")
        with told(folder):
            self._table = lance.dataset(str(folder / FRAMES))
            if version and version not in {each["version"] for each in self._table.versions()}:
                raise AmiError(f"{folder} has its version {version} no more: begin anew, with another --out")
            self._table = self._table.checkout_version(version) if version else self._table
            found = self._table.to_table(columns=["recording", "row", "episode"])
            recording, row, episode = (column.to_numpy() for column in found.columns)
        self.version = int(self._table.version)
        if not len(row):
            raise AmiError(f"{folder} has no recordings any more: add some by ./ami fleet export")
        first, number = np.unique(recording, return_index=True, return_inverse=True)[1:]
        owner = first[number]  # of each row the first one of its recording: these stand as they came
        order = np.lexsort((row, owner))
        sent_twice = np.append(False, (np.diff(owner[order]) == 0) & (np.diff(row[order]) == 0))  # at the same time
        order = order[~sent_twice]
        firsts, counts = np.unique(owner[order], return_counts=True)
        chosen, card = self._choose(firsts, counts)
        self._rows: Rows = order[np.isin(owner[order], chosen)]
        owner, row, episode = owner[self._rows], row[self._rows], episode[self._rows]
        other = np.append(True, (np.diff(owner) != 0) | (np.diff(episode) != 0))
        begins = other | np.append(True, np.diff(row) != 1)
        self.runs, self.episodes = _stretches(other), _stretches(begins)
        self.episode = np.asarray(np.cumsum(begins) - 1, np.int32)
        digest = hashlib.sha256(recording[self._rows].tobytes() + row.tobytes()).hexdigest()
        minutes = round(len(row) * card.period / 60, 2)
        self.card = replace(card, frames=len(row), episodes=len(self.episodes), minutes=minutes, checksum=digest)
        self._open_columns()

    def _choose(self, firsts: Rows, counts: Rows) -> tuple[Rows, DatasetCard]:
        """Of recordings, by the first row and the number of rows of each, those of the kind that most rows are of.

        Returns:
            Their first rows, and the card of one, whose sources are what there is to say of all recordings.
        """
        with told(self.folder):
            known = self._table.take(firsts, columns=["robot", "card", "command"]).to_pylist()
            cards = [from_mapping(DatasetCard, json.loads(each["card"]), str(self.folder)) for each in known]
        kinds = [_kind(card, len(each["command"])) for card, each in zip(cards, known, strict=True)]
        totals = Counter[tuple[tuple[str, str], ...]]()
        for kind, count in zip(kinds, counts.tolist(), strict=True):
            totals[kind] += count
        usual = totals.most_common(1)[0][0]
        sources, left = [], Counter[tuple[str, str]]()
        for each, kind, count in zip(known, kinds, counts.tolist(), strict=True):
            if kind == usual:
                sources.append({"path": f"{self.folder} ({each['robot']})", "frames": count, "problems": []})
            else:
                others = [f"{what} {a}, not {b}" for (what, a), (_, b) in zip(kind, usual, strict=True) if a != b]
                left[each["robot"], "; ".join(others)] += count
        for (robot, why), count in left.items():
            problem = f"{count} frames are left out, unlike most: {why}"
            sources.append({"path": f"{self.folder} ({robot})", "frames": 0, "problems": [problem]})
        is_chosen = np.array([kind == usual for kind in kinds])
        has_truth = all(card.has_truth for card, kind in zip(cards, kinds, strict=True) if kind == usual)
        card = replace(cards[kinds.index(usual)], sources=tuple(sources), has_truth=has_truth)
        return firsts[is_chosen], card

    def _open_columns(self) -> None:
        """Small ones are read, of large ones what is asked for."""
        driven = len(self._fetch(self._rows[:1], "command")[0])
        widths = {"scan": self.card.scan_beams, "command": driven, "velocity": driven}
        for name in COLUMNS:
            column = _Column(self._fetch, self._rows, name, widths.get(name, 3))
            setattr(self, name, column[:] if name in ("odometry", "command") else column)
        self.imu = np.zeros((len(self), 0), np.float32)  # is not sent

    def _fetch(self, rows: Rows, name: str) -> Any:
        """A column of some rows, which count those of the table, as Arrow has it."""
        with told(self.folder):
            return self._table.take(rows, columns=[name])[name].combine_chunks()

    def jpeg(self, row: int) -> bytes:
        """As `Dataset.jpeg`."""
        return self.jpegs([row])[0]

    def jpegs(self, rows: Sequence[int] | Rows) -> list[bytes]:
        """As `Dataset.jpegs`, in one request."""
        found: list[bytes] = self._fetch(self._rows[np.asarray(rows, np.int64)], "image").to_pylist()
        return found

    def verify(self) -> None:
        """Lance has checksums of its own."""


class _Column:
    """Numbers (n, width), or (n,) of stamps, that stay in the store until rows of them are asked for."""

    def __init__(self, fetch: Fetch, rows: Rows, name: str, width: int) -> None:
        self._fetch, self._rows, self._name = fetch, rows, name
        self.shape = (len(rows),) if name == "stamp" else (len(rows), width)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows = self._rows[index]
        found = self._fetch(np.ravel(rows), self._name)
        flat = found if self._name == "stamp" else found.flatten()
        return np.asarray(flat.to_numpy()).reshape(*np.shape(rows), *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


def _stretches(begins: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of what begins where `begins` (n,) is true."""
    return list(pairwise([*np.flatnonzero(begins).tolist(), len(begins)]))


def _kind(card: DatasetCard, commands: int) -> tuple[tuple[str, str], ...]:
    """What all recordings that a model learns from have to have alike, in words."""
    return (
        ("period [s]", f"{card.period:g}"),
        ("pictures [px]", "x".join(map(str, card.image_size))),
        ("field of view [rad]", f"{card.extraction.get('field_of_view', 0.0):g}"),
        ("beams", str(card.scan_beams)),
        ("scanner", str(card.scanner)),
        ("numbers in a command", str(commands)),
        ("odometry", "known" if card.has_odometry else "unknown"),
    )
