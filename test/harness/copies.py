"""What is in the copy of a robot's memory."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ami_ros.memory import database
from ami_ros.memory.sharing.rows import RowSet


def digest_of(copy: Path) -> tuple[int, int]:
    """How many places there are, and the sum of all checksums; nobody need have it open."""
    with closing(database.connect_to_read(copy)) as connection:
        return RowSet(connection, own=False).digest()
