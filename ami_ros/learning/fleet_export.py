"""Recordings of many robots in one Lance data set, for an object store: what a robot adds, and what is kept.

`frames.lance` lies beside `places.lance` (`places.fleet`). A row is one of a `Dataset`, with its picture as JPEG. A
recording is added in one version of the table: whoever reads has all of it, or nothing yet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import to_mapping
from ami_ros.errors import AmiError
from ami_ros.extras import need
from ami_ros.geometry import Array
from ami_ros.learning.alignment import COLUMNS
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.windows import check_inputs
from ami_ros.places.fleet import FRAMES, check_name, told
from ami_ros.world_model.perception import fit_scan_columns
from ami_ros.world_model.spec import Sensors
from ami_ros.world_model.surprise import surprises

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
