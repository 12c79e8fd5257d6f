"""Memories as files: what they are called, and how one is written beside the one that is in use."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ami_ros.core.errors import AmiError
from ami_ros.memory.records import edges_to_write, places_to_write
from ami_ros.memory.replacing import written_beside
from ami_ros.memory.store import Store
from ami_ros.memory.types import Code, Edge, PlaceRow

if TYPE_CHECKING:
    from ami_ros.memory.place_map import PlaceMap


SUFFIX = ".memory"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of a memory, and of a robot, whose copy bears it


def memory_beside(model: Path, world: str) -> Path:
    """Where a model folder keeps the memory of a world: a name, or the file that describes it; on whatever day."""
    return model / f"{Path(world.partition('@')[0]).stem}{SUFFIX}"


def named_file(folder: Path | None, name: str) -> Path:
    """The file of a memory of that name.

    Raises:
        AmiError: no folder, or a name or a link that could lead out of it (`Code.INVALID_INPUT`).
    """
    if folder is None:
        raise AmiError("memory: there is no folder for memories; set memory_file or folder", Code.INVALID_INPUT)
    if not NAME.fullmatch(name):
        raise AmiError(
            "memory: a name has 1 to 64 letters, digits, dots, dashes and underscores, and no path", Code.INVALID_INPUT
        )
    file = folder / f"{name}{SUFFIX}"
    if file.is_symlink():
        raise AmiError(f"memory: {file.name} is a link, which is not followed; name another", Code.INVALID_INPUT)
    return file


def check_file(path: Path, encoder_id: str, latent_dim: int) -> None:
    """Raises AmiError unless `path` is a memory that can be read, of that encoder and length of latents."""
    store = Store(path, encoder_id, latent_dim, read_only=True)
    try:
        store.load()
    finally:
        store.close()


def write_copy(places: PlaceMap, path: Path, overwrite: bool) -> int:
    """Writes everything to `path`, whole or not at all; returns the size of the file [bytes].

    The file in use already holds everything: of that one, what is pending is written, and it stays open where it is.

    Raises:
        AmiError: it exists (`Code.FILE_EXISTS`) or cannot be written (`Code.WRITE_FAILED`).
    """
    if _is_in_use(places, path):
        places.store.flush()
        return places.store.size()
    try:
        with written_beside(path, overwrite) as new:
            with suppress(AmiError):  # what its own file does not take has no picture in the copy; the rest has
                places.store.wait()  # pictures are read from there
            copy = Store(new, places.encoder_id, places.latent_dim)
            try:
                for batch in batches(list(places.details.values())):
                    copy.put_places(_whole(batch, places.store, [row.id for row in batch]))
                    copy.flush()
                copy.put_edges(places.graph.edges.values())
                copy.flush()
            finally:
                copy.close()
        return path.stat().st_size
    except OSError as error:
        raise AmiError(f"memory: cannot write {path}: {error.strerror or error}", Code.WRITE_FAILED) from error
    except AmiError as error:
        raise AmiError(str(error), error.code or Code.WRITE_FAILED) from error


def open_other(places: PlaceMap, path: Path) -> Store:
    """A stored memory of the same encoder, for reading; what a damaged one lost is the notice of this one's store.

    Raises:
        AmiError: not there (`Code.NOT_FOUND`), no memory, beyond repair or of a later version (`Code.INVALID_INPUT`),
            or of another encoder (`Code.ENCODER_MISMATCH`).
    """
    if not path.is_file():
        raise AmiError(f"memory: there is no {path.name} in {path.parent}", Code.NOT_FOUND)
    try:
        store = Store(path, places.encoder_id, places.latent_dim, read_only=True)
    except AmiError as error:
        raise AmiError(str(error), error.code or Code.INVALID_INPUT) from error
    places.store.notice = store.notice or places.store.notice
    return store


def adopt_rows(places: PlaceMap, rows: list[PlaceRow], edges: list[Edge], source: Store, ids: list[int]) -> None:
    """Adds rows whose pictures are in `source`, where they have these `ids`."""
    for batch, stored in zip(batches(rows), batches(ids), strict=True):
        places.adopt(_whole(batch, source, stored), [])
    places.adopt([], edges)


def read_back(places: PlaceMap, path: Path, overwrite: bool) -> None:
    """Puts what is in `path`, which stays as it is, in the place of everything; nothing is erased before all is read.

    Raises:
        AmiError: what `open_other` does; or something is remembered that would be lost (`Code.WOULD_FORGET`).
    """
    if _is_in_use(places, path):
        return
    source = open_other(places, path)
    try:
        if len(places) and not overwrite:
            raise AmiError("memory: what is remembered now would be lost; set overwrite, or merge", Code.WOULD_FORGET)
        rows, edges = source.load()
        for batch in batches(rows):
            places_to_write(_whole(batch, source, [row.id for row in batch]), places.latent_dim)
        edges_to_write(edges)
        places.forget(list(places.details))
        adopt_rows(places, rows, edges, source, [row.id for row in rows])
        places.store.flush()
    finally:
        source.close()


def _is_in_use(places: PlaceMap, path: Path) -> bool:
    """Whether `path` is the file of this memory, by whatever name."""
    own = places.store.path
    return own is not None and path.exists() and os.path.samefile(own, path)


def _whole(rows: list[PlaceRow], store: Store, ids: list[int]) -> list[PlaceRow]:
    """Rows with the pictures and the experience that `store` has of them under these `ids`."""
    known = store.experience(ids)
    return [
        replace(row, thumbnail=store.thumbnail(i), experience=known.get(i)) for row, i in zip(rows, ids, strict=True)
    ]


def batches(items: Sequence[Any]) -> list[Any]:
    """So many at a time that their pictures find room in RAM."""
    return [items[k : k + 500] for k in range(0, len(items), 500)]
