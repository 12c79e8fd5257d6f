"""Codes and global descriptors of pictures, and the files beside a memory that keep them."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.memory.index import Latents

# Codes of pictures in a file beside a memory, such as `home.memory.codes`, so that a restart need not encode again.
#
# They are derived: whoever erases the file loses a few seconds. So what is wrong with it is not told, but the codes
# are made again. A code is found by the content of its picture, not by the id of its place. So the codes of another
# memory, or of a picture that was replaced, are never found.

SUFFIX = ".codes"
KEPT = 1200  # codes, in the file and in RAM: some 90 MB
_HEADER = struct.Struct("<8sII")  # `_MAGIC`, codes, numbers in each; then come as many of `_INDEX`, and the codes
_MAGIC = b"AMICODE1"
_INDEX = np.dtype([("made_by", "V8"), ("picture", "V16"), ("crc", "<u4")])

Code = NDArray[np.float16]


def digest(*parts: bytes, size: int = 16) -> bytes:
    """Of what is known by its content: a picture (16 bytes), or what makes codes (8)."""
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


class CodeFile:
    """What this process knows of the file, which it reads code by code: it holds 75 KB for each.

    It is trusted as far as the memory: it belongs to the same user or to this one, and nobody else may write to it.

    Args:
        memory: the file beside which it lies; a memory that may not be written gets none.
        writes: False: the memory is another's, and is only copied.
        suffix: of its name.
        kept: codes in it, at most.
    """

    def __init__(self, memory: Path, writes: bool = True, suffix: str = SUFFIX, kept: int = KEPT) -> None:
        self._memory, self._kept = Path(os.path.realpath(memory)), kept
        self._path = self._memory.with_name(self._memory.name + suffix)
        self._writes, self._file = writes, -1
        self._read()

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, made_by: bytes, picture: bytes) -> Code | None:
        """The code (n,) of a picture; both are known by their `digest`. None: there is none, or it is damaged."""
        if (found := self._rows.get((made_by, picture))) is None:
            return None
        row, crc = found
        content = b""
        with suppress(OSError):
            content = os.pread(self._file, 2 * self._length, self._start + 2 * self._length * row)
        whole = len(content) == 2 * self._length and _crc(made_by, picture, content) == crc
        return np.frombuffer(content, "<f2") if whole else None

    def write(self, made_by: bytes, codes: Mapping[bytes, Code]) -> None:
        """Puts codes of pictures, by their digests, in the place of the file, whole or not at all. While there is room
        it keeps what others made of the same pictures, such as this robot before its camera was known."""
        if not self._writes or not codes or not os.access(self._memory, os.W_OK):
            return
        length = len(next(iter(codes.values())))
        rows = {(made_by, picture): code for picture, code in codes.items()}
        if length == self._length:
            for key in self._rows:
                if key[1] in codes and key not in rows and (code := self.find(*key)) is not None:
                    rows[key] = code
        kept = list(rows.items())[: self._kept]
        index = np.array([(*key, _crc(*key, code.tobytes())) for key, code in kept], _INDEX)
        new = self._path.with_name(f".{self._path.name}.new")
        with suppress(OSError):
            try:
                new.unlink(missing_ok=True)  # of a writer that was killed, or somebody's trap
                with open(new, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                    file.write(_HEADER.pack(_MAGIC, len(kept), length) + index.tobytes())
                    for _, code in kept:
                        file.write(code.tobytes())
                os.replace(new, self._path)  # not synced: of what a power cut leaves, checksums tell
            finally:
                new.unlink(missing_ok=True)
        self._read()

    def erase(self) -> None:
        """Places were forgotten: what their pictures showed is no more in any file."""
        if self._writes:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._read()

    def close(self) -> None:
        """Finds nothing any more."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._rows = -1, dict[tuple[bytes, bytes], tuple[int, int]]()
        self._start = self._length = 0

    def _read(self) -> None:
        """What is in the file, if it is one and whole."""
        self.close()
        with suppress(OSError, struct.error):
            self._file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            status, owners = os.fstat(self._file), (os.geteuid(), os.stat(self._memory).st_uid)
            if (
                not stat.S_ISREG(status.st_mode)
                or status.st_uid not in owners
                or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            ):
                return
            magic, count, length = _HEADER.unpack(os.pread(self._file, _HEADER.size, 0))
            start = _HEADER.size + count * _INDEX.itemsize
            if magic != _MAGIC or count > self._kept or status.st_size != start + 2 * length * count:
                return
            index = np.frombuffer(os.pread(self._file, count * _INDEX.itemsize, _HEADER.size), _INDEX)
            self._start, self._length = start, length
            self._rows = {(maker, picture): (k, crc) for k, (maker, picture, crc) in enumerate(index.tolist())}


def _crc(made_by: bytes, picture: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(made_by + picture))


# Which of many places may show what a picture shows: a global descriptor of each picture, compared in microseconds.
#
# A latent holds what the laser saw beside the picture, and a goal's picture comes without a laser. So latents of
# narrow pictures found their places hardly better than chance, in the one building that was tried. The mean of what a
# picture's cells show did find them.


def descriptor_file(memory: Path, writes: bool = True) -> CodeFile:
    """Where descriptors of pictures stay, beside a memory, in a file such as `home.memory.descriptors`."""
    return CodeFile(memory, writes, ".descriptors", 50_000)  # in the file: 8 MB


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
        # the robot may be switched off
        return self.file is not None and self._unsaved > max(128, len(self._known) // 4)

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
