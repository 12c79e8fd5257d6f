"""The memories that ship beside models: of the newest version, and no bit in them flips unnoticed without harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.memory.database import SCHEMA_VERSION, meta_of
from ami_ros.memory.store import Store
from harness.disk import laid_out
from harness.processes import REPOSITORY

SHIPPED = sorted((REPOSITORY / "models").glob("*/*.memory"))
SCHEMA = 3000  # bytes at the beginning in which all tables are described


def everything(path: Path, of: tuple[str, int]) -> tuple[bytes, str]:
    """All that a memory gives, for comparing, and its notice."""
    store = Store(path, *of, read_only=True)
    try:
        table, ways = store.read()
        ids = [int(i) for i in table.numbers["id"]]
        known, pictures = store.experience(ids), [store.thumbnail(i) for i in ids]
        arrays: list[NDArray[Any]] = [table.latents, table.poses, table.numbers, ways]
        arrays += [x for i in sorted(known) for x in (known[i].covariance, known[i].commands) if x is not None]
        texts = repr((table.texts, pictures, sorted(known), [known[i].submap for i in sorted(known)]))
        return b"".join(array.tobytes() for array in arrays) + texts.encode(), store.notice
    finally:
        store.close()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
@pytest.mark.fault("memory file damaged")
def test_a_bit_that_flips_in_a_memory_that_ships_is_noticed_or_does_no_harm(path: Path) -> None:
    content, of, rng, noticed = path.read_bytes(), meta_of(path), np.random.default_rng(0), 0
    assert int.from_bytes(content[60:64]) == SCHEMA_VERSION, "ship the newest version"
    assert content[18:20] == b"\x01\x01", "it must be readable without a log: PRAGMA journal_mode = DELETE"
    with laid_out({"home.memory": content}) as folder:
        true, notice = everything(folder / "home.memory", of)
        assert notice == ""
    for bit in [*rng.integers(8 * len(content), size=24), *rng.integers(8 * SCHEMA, size=12)]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with laid_out({"home.memory": bytes(flipped)}) as folder:
            try:
                found, notice = everything(folder / "home.memory", of)
            except AmiError as error:  # the version, or the kind of file, that it then says it is
                assert bit < 800 and "\n" not in str(error), error
                continue
            assert found == true or notice, bit
            noticed += bool(notice)
    assert noticed > 10
