"""A checksum of each row of a memory, so that a flipped bit is found and no row is silently wrong.

CRC-32, which finds every change of up to 32 bits in a row, begun with the encoder: rows of another never fit.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ami_ros.places.rows import EDGES

_PLACE = struct.Struct("<qddqqddddd")  # `rows.NUMBERS`, then x, y, yaw; the latent comes behind them
_EDGE = struct.Struct("<qqdddqdqd")  # `rows.EDGES`


def seed_of(encoder_id: str, latent_dim: int) -> int:
    """What the checksums of a memory begin with."""
    return zlib.crc32(f"{encoder_id} {latent_dim}".encode())


def register(connection: sqlite3.Connection, encoder_id: str, latent_dim: int) -> None:
    """Makes `place_crc`, `edge_crc`, `blob_crc` and `blob_fits` known to SQL."""
    seed = seed_of(encoder_id, latent_dim)
    for function, count in ((place_crc, 13), (edge_crc, 9), (blob_crc, -1), (blob_fits, -1)):
        connection.create_function(function.__name__, count, partial(function, seed), deterministic=True)


def place_crc(seed: int, *values: object) -> int:
    """Of a place's values in the order of `database.PLACE_COLUMNS`. SQLite keeps no -0.0, so it counts as 0."""
    place_id, latent, x, y, yaw, created, last_seen, visits, label, note, episode, surprise, keep_away = values
    numbers = place_id, created, last_seen, visits, episode, surprise, keep_away, x, y, yaw
    crc = zlib.crc32(latent, zlib.crc32(_PLACE.pack(*map(_plain, numbers)), seed))  # type: ignore[arg-type]
    return _with_texts(crc, str(label), str(note))


def edge_crc(seed: int, *values: object) -> int:
    """Of a way's values in the order of `rows.EDGES`."""
    return zlib.crc32(_EDGE.pack(*map(_plain, values)), seed)


def blob_crc(seed: int, row_id: int, *blobs: bytes | None) -> int:
    """Of an id, and what is kept under it."""
    crc = zlib.crc32(row_id.to_bytes(8, "little", signed=True), seed)
    for blob in blobs:
        crc = zlib.crc32(b"\0" if blob is None else blob, zlib.crc32(b"%d" % (-1 if blob is None else len(blob)), crc))
    return crc


def blob_crcs(seed: int, ids: NDArray[np.int64], blobs: NDArray[np.void]) -> NDArray[np.int64]:
    """`blob_crc` of ids (n,) and the one blob of each (n,)."""
    length = b"%d" % blobs.itemsize
    rows = np.zeros(len(ids), [("id", "<i8"), ("length", f"V{len(length)}"), ("blob", blobs.dtype)])
    rows["id"], rows["length"], rows["blob"] = ids, np.void(length), blobs
    return np.array(_row_crcs(seed, rows, rows.itemsize), np.int64)


def blob_fits(seed: int, found: object, *values: object) -> bool:
    """Whether a checksum is that of an id, and what is kept under it."""
    return fits(found, blob_crc, seed, *values)


def fits(found: object, function: object, seed: int, *values: object) -> bool:
    """Whether a checksum that was read is that of the values beside it, of whatever types these are."""
    try:
        return bool(found == function(seed, *values))  # type: ignore[operator]
    except (struct.error, TypeError, ValueError, OverflowError, AttributeError):
        return False


def wrong_places(seed: int, rows: NDArray[np.void], texts: Mapping[int, tuple[str, str]]) -> int:
    """How many of many places do not fit their checksums.

    Args:
        seed: see `seed_of`.
        rows: (n,) with the fields of `rows.NUMBERS`, x, y, yaw, the bytes of the latent, and at the end the checksum.
        texts: label and note of the places that have one.
    """
    found = _row_crcs(seed, rows, rows.itemsize - rows["crc"].itemsize)
    row_of = {place_id: k for k, place_id in enumerate(rows["id"].tolist())} if texts else {}
    for place_id, (label, note) in texts.items():
        if place_id in row_of:
            found[row_of[place_id]] = _with_texts(found[row_of[place_id]], label, note)
    return int((np.array(found, np.int64) != rows["crc"]).sum())


def wrong_edges(seed: int, edges: NDArray[np.void]) -> int:
    """How many of many ways (n,) with the fields of `rows.EDGES` and their checksum do not fit it."""
    return int((np.array(_row_crcs(seed, edges, EDGES.itemsize), np.int64) != edges["crc"]).sum())


def _row_crcs(seed: int, rows: NDArray[np.void], size: int) -> list[int]:
    """Of the first `size` bytes of each row."""
    rows = rows.copy()
    for name in rows.dtype.names or ():
        if rows.dtype[name].kind == "f":
            rows[name] += 0.0
    content, crc32 = memoryview(rows.tobytes()), zlib.crc32
    return [crc32(content[start : start + size], seed) for start in range(0, len(content), rows.itemsize)]


def _with_texts(crc: int, label: str, note: str) -> int:
    return zlib.crc32(f"{label}\0{note}".encode(errors="replace"), crc) if label or note else crc


def _plain(number: object) -> object:
    return number + 0.0 if isinstance(number, float) else number
