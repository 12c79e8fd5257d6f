"""Memories of many robots in one Lance data set, for an object store: export and import (the extra `lance`).

A folder holds `places.lance` and `ways.lance`; each row says whose it is, so that robots add theirs one by one, and
a robot that exports again takes the place of what it had sent. `frames.lance` beside them has recordings
(`learning.fleet_export`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.core.commands import pack, unpack
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import need
from ami_ros.memory.database import meta_of
from ami_ros.memory.files import NAME
from ami_ros.memory.replacing import written_beside
from ami_ros.memory.store import Store
from ami_ros.memory.types import WAYS as FIELDS
from ami_ros.memory.types import Edge, Experience, PlaceRow, edge_of, edge_values

PLACES, WAYS, FRAMES = "places.lance", "ways.lance", "frames.lance"
BATCH = 2000  # places, with their pictures, in RAM at once
_NUMBERS = ("created", "last_seen", "visits", "episode", "surprise", "keep_away", "label", "note")


def export_memory(source: Path, folder: Path, robot: str) -> tuple[int, int]:
    """Adds a memory to a data set, in the place of what it has of this robot; returns how many places and ways.

    Raises:
        AmiError: no memory, no such extra, a name that is none, or a data set that cannot be written.
    """
    lance, mine = need("lance", "lance"), _filter(robot)
    encoder_id, latent_dim = meta_of(source)
    store = Store(source, encoder_id, latent_dim, read_only=True)
    try:
        places, edges = store.load()
        folder.mkdir(parents=True, exist_ok=True)
        _put(lance, folder / PLACES, _place_batches(store, places, robot, encoder_id), mine)
        pa, table = need("pyarrow", "lance"), np.array([edge_values(edge) for edge in edges], FIELDS)
        names = {"robot": pa.array([robot] * len(edges), pa.string())}
        _put(lance, folder / WAYS, iter([pa.table(names | {n: table[n] for n in FIELDS.names or ()})]), mine)
    except (OSError, ValueError) as error:
        raise AmiError(f"the data set {folder} cannot be written: {error}") from error
    finally:
        store.close()
    return len(places), len(edges)


def _put(lance: Any, path: Path, tables: Iterator[Any], old: str) -> None:
    """Writes rows in the place of those that the filter `old` names, in one version: who reads sees the old ones or
    the new ones, also where the writer is killed. Raises OSError."""
    first = next(tables)  # there is one always
    if not path.exists():
        with suppress(OSError):  # another robot was sooner
            lance.write_dataset(first.slice(0, 0), str(path), mode="create")
    dataset, conflict = lance.dataset(str(path)), need("lance.commit", "lance").CommitConflictError
    new = [part for table in chain([first], tables) for part in lance.fragment.write_fragments(table, dataset)]
    for left in reversed(range(100)):  # each that fails is another robot's success
        try:
            update = lance.LanceOperation.Update(*_without(dataset, old), new)
            lance.LanceDataset.commit(dataset, update, read_version=dataset.version)
            return
        except conflict:  # another robot was sooner
            if not left:
                raise
        dataset = lance.dataset(str(path))


def _without(dataset: Any, old: str) -> tuple[list[int], list[Any]]:
    """Fragments of which nothing is left without the rows that the filter names, and those of which less is left."""
    gone, less = [], []
    for fragment in dataset.get_fragments():
        if fragment.count_rows(old):
            kept = fragment.delete(old)
            if kept is None:
                gone.append(fragment.fragment_id)
            else:
                less.append(kept)
    return gone, less


def import_memory(folder: Path, robot: str, out: Path) -> tuple[int, int]:
    """Writes what a data set has of a robot as a memory, a new file; returns how many places and ways.

    Raises:
        AmiError: no such extra, data set or robot; `out` is there, or cannot be written.
    """
    lance, mine = need("lance", "lance"), _filter(robot)
    if out.exists():
        raise AmiError(f"{out} exists already; name another file, or remove it")
    try:
        places, ways = (lance.dataset(str(folder / name)) for name in (PLACES, WAYS))
        first = places.to_table(columns=["encoder_id"], filter=mine, limit=1).to_pylist()
        if not first:
            raise AmiError(f"the data set {folder} has nothing of a robot '{robot}'")
        with written_beside(out) as new:
            store = Store(new, first[0]["encoder_id"], places.schema.field("latent").type.list_size)
            try:
                return _import(store, places.to_batches(filter=mine, batch_size=BATCH), ways.to_table(filter=mine))
            finally:
                store.close()
    except (OSError, ValueError, KeyError) as error:
        raise AmiError(f"the data set {folder} cannot be read, or {out} not written: {error}") from error


def _import(store: Store, places: Iterable[Any], ways: Any) -> tuple[int, int]:
    count = 0
    for batch in places:
        rows = [_place_of(values) for values in batch.to_pylist()]
        store.put_places(rows)
        store.flush()
        count += len(rows)
    table = ways.to_pylist()
    store.put_edges(map(_way_of, table))
    store.flush()
    return count, len(table)


def compact(folder: Path, keep_days: float) -> int:
    """Puts small files of a data set together and what was erased out; returns how many bytes that freed.

    Args:
        folder: of the data set.
        keep_days: versions that are younger stay, for who reads them or wants one back.

    Raises:
        AmiError: no such extra or data set, or it cannot be written.
    """
    lance, freed = need("lance", "lance"), 0
    with told(folder, "compacted"):
        for name in [name for name in (PLACES, WAYS, FRAMES) if (folder / name).is_dir()] or [PLACES]:
            dataset = lance.dataset(str(folder / name))
            dataset.optimize.compact_files()
            freed += dataset.cleanup_old_versions(timedelta(days=keep_days)).bytes_removed
    return freed


class Snapshot:
    """What a data set had at one time, whatever robots add to it meanwhile.

    Args:
        folder: of the data set.
        versions: of its tables, as an earlier snapshot had them; None: the newest.

    Raises:
        AmiError: no such extra or data set, or it has these versions no more; reading raises it, too.
    """

    def __init__(self, folder: Path, versions: Sequence[int | None] = (None, None)) -> None:
        lance, self.folder = need("lance", "lance"), folder
        with told(folder):
            self._places, self._ways = (
                lance.dataset(str(folder / name), version=v) for name, v in zip((PLACES, WAYS), versions, strict=True)
            )
            self.versions: list[int] = [self._places.version, self._ways.version]

    def robots(self) -> dict[str, tuple[str, int]]:
        """By their names, in alphabetical order: of which encoder their memories are, and how many places they have."""
        with told(self.folder):
            table = self._places.to_table(columns=["robot", "encoder_id"])
            counts = Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return {robot: (encoder_id, count) for (robot, encoder_id), count in sorted(counts.items())}

    def memories(self, robots: Sequence[str]) -> Iterator[tuple[str, list[PlaceRow], list[Edge]]]:
        """Of some robots, in RAM at once: reading each by itself would read through all each time."""
        mine = " OR ".join(map(_filter, robots))
        with told(self.folder):
            places, ways = (table.to_table(filter=mine).to_pylist() for table in (self._places, self._ways))
            for robot in robots:
                rows = [_place_of(values) for values in places if values["robot"] == robot]
                edges = [_way_of(values) for values in ways if values["robot"] == robot]
                yield robot, sorted(rows, key=lambda row: row.id), edges


def robots_of(folder: Path) -> list[str]:
    """Whose memories a data set has. Raises AmiError."""
    with told(folder):
        names = need("lance", "lance").dataset(str(folder / PLACES)).to_table(columns=["robot"])["robot"]
    return sorted(set(names.to_pylist()))


@contextmanager
def told(folder: Path, what: str = "read") -> Iterator[None]:
    """What goes wrong with a data set inside is an AmiError of one line: it cannot be read, or `what` else."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split(", /rustc/")[0].split())
        raise AmiError(f"the data set {folder} cannot be {what}: {reason}") from error


def check_name(robot: str) -> None:
    """Raises AmiError if that is no name of a robot."""
    if not NAME.fullmatch(robot):  # it goes into a filter
        raise AmiError("a robot's name has 1 to 64 letters, digits, dots, dashes and underscores")


def _filter(robot: str) -> str:
    check_name(robot)
    return f"robot = '{robot}'"


def _place_batches(store: Store, places: list[PlaceRow], robot: str, encoder_id: str) -> Iterator[Any]:
    """Arrow tables of some places each."""
    pa = need("pyarrow", "lance")
    for start in range(0, max(1, len(places)), BATCH):
        rows = places[start : start + BATCH]
        known = store.experience([row.id for row in rows])
        experience = [known.get(row.id, Experience()) for row in rows]
        latents = np.stack([row.latent for row in rows]) if rows else np.zeros((0, store.latent_dim), np.float32)
        poses = np.stack([row.pose for row in rows]) if rows else np.zeros((0, 3))
        columns = {
            "robot": pa.array([robot] * len(rows), pa.string()),
            "encoder_id": pa.array([encoder_id] * len(rows), pa.string()),
            "id": pa.array([row.id for row in rows], pa.int64()),
            "latent": pa.FixedSizeListArray.from_arrays(pa.array(latents.ravel()), store.latent_dim),
            "pose": pa.FixedSizeListArray.from_arrays(pa.array(poses.ravel()), 3),
            **{name: _column(pa, [getattr(row, name) for row in rows], name) for name in _NUMBERS},
            "covariance": pa.array([_flat(e.covariance) for e in experience], pa.list_(pa.float32())),
            "commands": pa.array(
                [_flat(None if e.commands is None else pack(e.commands)) for e in experience], pa.list_(pa.float32())
            ),
            "outline": pa.array([e.submap for e in experience], pa.binary()),
            "thumbnail": pa.array([store.thumbnail(row.id) for row in rows], pa.binary()),
        }
        yield pa.table(columns)


def _column(pa: Any, values: list[Any], name: str) -> Any:
    kind = {"visits": pa.int64(), "episode": pa.int64(), "label": pa.string(), "note": pa.string()}
    return pa.array(values, kind.get(name, pa.float64()))


def _way_of(values: dict[str, Any]) -> Edge:
    return edge_of(tuple(values.get(name, 0) for name in FIELDS.names or ()))


def _flat(numbers: np.ndarray | None) -> list[float] | None:
    return None if numbers is None else numbers.ravel().tolist()


def _place_of(values: dict[str, Any]) -> PlaceRow:
    covariance, commands = (None if values[n] is None else np.array(values[n]) for n in ("covariance", "commands"))
    experience = Experience(
        None if covariance is None else covariance.astype(np.float32).reshape(3, 3),
        None if commands is None else unpack(commands),
        values.get("outline") or b"",
    )
    row = PlaceRow(values["id"], np.array(values["latent"], np.float32), np.array(values["pose"]), 0.0, 0.0, 0)
    row = replace(row, **{name: values[name] for name in _NUMBERS})
    return replace(
        row,
        thumbnail=values["thumbnail"],
        experience=None if covariance is commands is None and not experience.submap else experience,
    )
