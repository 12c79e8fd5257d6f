"""What is read from the SQLite file below `Store`, in bulk: columns, not one object for each row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import unpack
from ami_ros.memory import database
from ami_ros.memory.rows import EDGES, NUMBERS, Experience, PlaceTable


def read_places(connection: sqlite3.Connection, version: int, latent_dim: int) -> PlaceTable:
    """All places, by id.

    Raises:
        ValueError: latents of another length.
        sqlite3.Error: the file cannot be read.
    """
    size = 4 * latent_dim
    if connection.execute("SELECT count(*) FROM places WHERE length(latent) <> ?", (size,)).fetchone()[0]:
        raise ValueError("it holds latents of another length")
    names = ", ".join(name for name, _ in NUMBERS)
    columns = database.columns_of(version, f"{names}, x, y, yaw, latent")
    kind = np.dtype([*NUMBERS, ("x", "<f8"), ("y", "<f8"), ("yaw", "<f8"), ("latent", f"V{size}")])
    read = np.fromiter(connection.execute(f"SELECT {columns} FROM places ORDER BY id"), kind)
    texts = connection.execute("SELECT id, label, note FROM places WHERE label <> '' OR note <> ''")
    return PlaceTable(
        latents=np.frombuffer(read["latent"].tobytes(), "<f4").astype(np.float32).reshape(len(read), latent_dim),
        poses=np.column_stack([read[name] for name in ("x", "y", "yaw")]),
        numbers=read[[name for name, _ in NUMBERS]],
        texts={place_id: (label, note) for place_id, label, note in texts},
    )


def read_edges(connection: sqlite3.Connection, ids: NDArray[np.int64]) -> NDArray[np.void]:
    """All ways (m,), with the fields of `EDGES`, between places of these `ids` (n,)."""
    edges = np.fromiter(connection.execute(f"SELECT {', '.join(EDGES.names or ())} FROM edges"), EDGES)
    return edges[np.isin(edges["start"], ids) & np.isin(edges["stop"], ids)]


def read_experience(connection: sqlite3.Connection, version: int, ids: Collection[int]) -> dict[int, Experience]:
    """What is known of some places besides how they look; those of which nothing is known are left out."""
    if version < database.EXPERIENCE_SINCE:
        return {}
    query = "SELECT id, covariance, commands FROM experience WHERE id IN (SELECT value FROM json_each(?))"
    wanted = json.dumps([int(i) for i in ids])
    found = connection.execute(query, (wanted,)).fetchall()
    return {i: Experience(_covariance(covariance), _commands(commands)) for i, covariance, commands in found}


def _covariance(content: bytes | None) -> NDArray[np.float32] | None:
    """(3, 3); None where there is none, or none that makes sense."""
    if content is None or len(content) != 36:
        return None
    numbers = np.frombuffer(content, "<f4").astype(np.float32).reshape(3, 3)
    return numbers if np.isfinite(numbers).all() else None


def _commands(content: bytes | None) -> NDArray[np.float32] | None:
    """(n, 2 or 3); None where there are none, or none that make sense."""
    if content is None or len(content) % 2:
        return None
    return unpack(np.frombuffer(content, "<f2"))
