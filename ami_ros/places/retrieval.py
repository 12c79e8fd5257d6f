"""Which of many places may show what a picture shows: a global descriptor of each picture, compared in microseconds.

A latent holds what the laser saw beside the picture, and a goal's picture comes without a laser. So latents of narrow
pictures found their places hardly better than chance, in the one building that was tried. The mean of what a picture's
cells show did find them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.places.code_file import CodeFile
from ami_ros.places.index import Latents

SUFFIX = ".descriptors"
KEPT = 50_000  # in the file: 8 MB
UNSAVED = 128  # new ones, and a quarter of all, from which on they are saved: the robot may be switched off


def descriptor_file(memory: Path, writes: bool = True) -> CodeFile:
    """Where descriptors of pictures stay, beside a memory, in a file such as `home.memory.descriptors`."""
    return CodeFile(memory, writes, SUFFIX, KEPT)


class Descriptors:
    """Global descriptors (k,) of the pictures of places, by their ids.

    Attributes:
        file: those of earlier runs; None: there are none, and these are not kept either.
    """

    def __init__(self) -> None:
        self.file: CodeFile | None = None
        self._known = dict[int, tuple[bytes, NDArray[np.float16]]]()  # with the digest of its picture
        self._table: tuple[NDArray[np.int64], Latents, Latents] | None = None  # ids, unit rows, what all have in common
        self._unsaved = 0

    def __contains__(self, place_id: int) -> bool:
        return place_id in self._known

    def add(self, pictures: Mapping[int, bytes], descriptors: Latents) -> None:
        """Of places, by the digests of their pictures: (n, k)."""
        for (place_id, picture), descriptor in zip(pictures.items(), descriptors.astype(np.float16), strict=True):
            self._known[place_id] = picture, descriptor
        self._unsaved += len(pictures)
        self._table = None

    def read(self, made_by: bytes, place_id: int, picture: bytes) -> bool:
        """Whether the file has that of a place, by the digest of its picture; see `CodeFile.find`."""
        found = None if self.file is None else self.file.find(made_by, picture)
        if found is not None:
            self._known[place_id] = picture, found
            self._table = None
        return found is not None

    @property
    def is_due(self) -> bool:
        """Whether there are many that the file has not."""
        return self.file is not None and self._unsaved > max(UNSAVED, len(self._known) // 4)

    def save(self, made_by: bytes) -> None:
        """Writes what is new to the file."""
        if self.file is not None and self._unsaved:
            self.file.write(made_by, dict(self._known.values()))
        self._unsaved = 0  # also where that was not possible: it will not be soon

    def drop(self, ids: Collection[int]) -> None:
        """Places that are no more: what their pictures showed is no more in any file."""
        for place_id in ids:
            self._known.pop(place_id, None)
        self._table = None
        if self.file is not None:
            self.file.erase()
            self._unsaved = len(self._known)

    def clear(self) -> None:
        """Those of another camera say nothing."""
        self._known.clear()
        self._table, self._unsaved = None, 0

    def likeness(self, descriptors: Latents) -> tuple[NDArray[np.int64], Latents]:
        """Ids (n,) of all places that have one, and how much like each of `descriptors` (q, k) theirs are, (q, n): the
        cosine, once what all have in common is taken off."""
        if not self._known:
            return np.zeros(0, np.int64), np.zeros((len(descriptors), 0), np.float32)
        if self._table is None or len(self._table[0]) != len(self._known):
            known = list(self._known.items())  # at once: another thread may add some
            rows = np.stack([descriptor for _, (_, descriptor) in known]).astype(np.float32)
            common = rows.mean(axis=0)
            self._table = np.array([place_id for place_id, _ in known]), _unit(rows - common), common
        ids, rows, common = self._table
        return ids, _unit(descriptors - common) @ rows.T


def _unit(rows: Latents) -> Latents:
    return np.asarray(rows / (np.linalg.norm(rows, axis=-1, keepdims=True) + 1e-9), np.float32)
