"""Recordings of many robots in one Lance data set beside their memories: what a robot adds, and how they are read as a
data set."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.config import from_mapping, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import need
from ami_ros.memory.fleet.dataset import FRAMES, PLACES, check_name, told
from ami_ros.world_model.learning.alignment import COLUMNS
from ami_ros.world_model.learning.dataset import CARD, Dataset, DatasetCard
from ami_ros.world_model.learning.windows import check_inputs
from ami_ros.world_model.perception import fit_scan_columns
from ami_ros.world_model.spec import Sensors
from ami_ros.world_model.surprise import surprises

# The recordings of a fleet as a data set: rows are fetched from Lance when they are asked for.

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
        self.period, self.scanner = card.period, card.scanner
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


# Recordings of many robots in one Lance data set, for an object store: what a robot adds, and what is kept.
#
# `frames.lance` lies beside `places.lance` (`places.fleet`). A row is one of a `Dataset`, with its picture as JPEG. A
# recording is added in one version of the table: whoever reads has all of it, or nothing yet.

BATCH = 500  # rows in RAM at once, with their pictures
STRETCH = 20.0  # [s] that are kept or dropped as a whole: several windows to train on
NARROW = ("scan", "command", "velocity")  # in 32 bits
KINDS: dict[str, type] = {"episode": np.int32} | {n: np.float32 if n in NARROW else np.float64 for n in COLUMNS}
Progress = Callable[[int, int], None]  # rows done, total


def export_recordings(
    dataset: Dataset, folder: Path, robot: str, model: Any, progress: Progress = lambda done, total: None
) -> tuple[int, int]:
    """Adds the recordings of a data set, but for those that are there already.

    Args:
        dataset: of the robot.
        folder: of the fleet's data set, made if it is not there.
        robot: its name.
        model: for arrays, that the robot drove with: it says what was surprising.
        progress: called with the rows done.

    Returns:
        How many rows were added, and how many were there.

    Raises:
        AmiError: no such extra, a name that is none, a data set that the model does not read or that lacks commands or
            poses, or one that cannot be written.
    """
    lance, pa = need("lance", "lance"), need("pyarrow", "lance")
    check_name(robot)
    _check(dataset, model)
    path = folder / FRAMES
    with told(folder, "written"):
        is_there = (path / "_versions").is_dir()
        known = (
            set(lance.dataset(str(path)).to_table(columns=["recording"])[0].unique().to_pylist()) if is_there else ()
        )
        keys = {_key(dataset, start, stop): (start, stop) for start, stop in dataset.recordings}
        new = {key: rows for key, rows in keys.items() if key not in known}
        if new:
            folder.mkdir(parents=True, exist_ok=True)
            batches = _batches(dataset, new, robot, _surprise_of(dataset, model, list(new.values()), progress))
            first = next(batches)
            rows = pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
            lance.write_dataset(rows, str(path), mode="append" if is_there else "create")
    added = sum(stop - start for start, stop in new.values())
    return added, len(dataset) - added


def keep_surprising(folder: Path, hours: float) -> tuple[dict[str, float], float]:
    """Drops the stretches that surprised least, of whichever robot, until at most `hours` are left, or one stretch.

    Returns:
        How many hours of each robot were dropped, none if all fit; and how many are left.

    Raises:
        AmiError: no such extra or data set, or it cannot be written.
    """
    with told(folder, "written"):
        table = need("lance", "lance").dataset(str(folder / FRAMES))
        columns = table.to_table(columns=["robot", "surprise", "period"])
        each = columns["period"].to_numpy() / 3600
        values, stretch = np.unique(columns["surprise"].to_numpy(), return_inverse=True)
        left = np.cumsum(np.bincount(stretch, each)[::-1])[::-1]  # where all below a value are dropped
        first = min(int((left > hours * (1 + 1e-9)).sum()), len(values) - 1)
        if first <= 0:
            return {}, float(each.sum())
        table.delete(f"surprise < {float(values[first])!r}")
        gone, robots = stretch < first, columns["robot"].combine_chunks().dictionary_encode()
        dropped = np.bincount(robots.indices.to_numpy(), each * gone)
        return dict(zip(robots.dictionary.to_pylist(), dropped.tolist(), strict=True)), float(left[first])


def _check(dataset: Dataset, model: Any) -> None:
    check_inputs(dataset, model.spec)
    if not _is_known(dataset.command):
        raise AmiError(f"{dataset.folder} has no commands, and a world model learns what those do: record them, too")
    for start, stop in dataset.recordings:
        lost = int((~np.isfinite(dataset.odometry[start:stop]).all(1)).sum())
        if 0 < lost < stop - start:
            raise AmiError(f"{dataset.folder}: {lost} poses are not finite; extract it again, or leave that bag out")


def _key(dataset: Dataset, start: int, stop: int) -> int:
    """What a recording is known by, whatever data set it is in: a hash of what was driven and seen."""
    digest = hashlib.sha256()
    for name in ("stamp", "odometry", "command"):
        digest.update(np.ascontiguousarray(getattr(dataset, name)[start:stop]).tobytes())
    for row in range(start, stop):
        digest.update(dataset.jpeg(row))
    return int.from_bytes(digest.digest()[:8], "little", signed=True)


def stretches(episodes: Sequence[tuple[int, int]], period: float) -> list[tuple[int, int]]:
    """Episodes cut into parts of about `STRETCH`."""
    found: list[tuple[int, int]] = []
    for start, stop in episodes:
        count = max(1, round((stop - start) * period / STRETCH))
        found += pairwise(np.linspace(start, stop, count + 1).astype(int).tolist())
    return found


def _surprise_of(dataset: Dataset, model: Any, recordings: Sequence[tuple[int, int]], progress: Progress) -> Array:
    """Of each row (n,) how much its stretch surprised; NaN outside of the recordings."""
    found, inputs = np.full(len(dataset), np.nan), model.spec.inputs
    rows = np.concatenate([np.arange(*recording) for recording in recordings])
    latents = np.zeros((len(dataset), model.spec.latent_dim), np.float32)
    for done in range(0, len(rows), BATCH):
        some = rows[done : done + BATCH]
        images = dataset.images(some, inputs.image_size).transpose(0, 3, 1, 2) if inputs.image_size else None
        scans = fit_scan_columns(dataset.scan[some], inputs.scan_beams) if inputs.scan_beams else None
        latents[some] = model.encode(Sensors(images, scans))
        progress(done + len(some), len(rows))
    episodes = [episode for episode in dataset.episodes if np.isin(episode[0], rows)]
    each = surprises(model, latents, np.asarray(dataset.command, np.float32), episodes)
    for start, stop in stretches(episodes, dataset.period):
        known = each[start:stop][np.isfinite(each[start:stop])]
        found[start:stop] = known.mean() if len(known) else np.inf  # nobody knows: it stays
    return found


def _batches(dataset: Dataset, new: Mapping[int, tuple[int, int]], robot: str, surprise: Array) -> Iterator[Any]:
    """Arrow batches of some recordings, which are named by their keys."""
    pa = need("pyarrow", "lance")
    for key, (start, stop) in new.items():
        card = _card_of(dataset, start, stop)
        for first in range(start, stop, BATCH):
            rows = np.arange(first, min(first + BATCH, stop))
            alike = {"robot": robot, "recording": key, "period": dataset.period, "card": card}
            yield pa.record_batch(
                {name: pa.array([value] * len(rows)) for name, value in alike.items()}
                | {name: _column(pa, getattr(dataset, name)[rows], kind) for name, kind in KINDS.items()}
                | {"row": pa.array((rows - start).astype(np.int32)), "surprise": pa.array(surprise[rows])}
                | {"image": pa.array(dataset.jpegs(rows), pa.binary())}
            )


def _column(pa: Any, values: NDArray[Any], kind: type) -> Any:
    flat = pa.array(np.asarray(values, kind).ravel())
    if values.ndim == 1:
        return flat
    ends = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.shape[1])
    return pa.ListArray.from_arrays(pa.array(ends), flat)


def _card_of(dataset: Dataset, start: int, stop: int) -> str:
    """Of one recording, as JSON."""
    known = {f"has_{name}": _is_known(getattr(dataset, name)[start:stop]) for name in ("odometry", "truth")}
    own = replace(dataset.card, frames=stop - start, checksum="", sizes={}, sources=(), dropped={})
    return json.dumps(to_mapping(own) | known)


def _is_known(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all())
