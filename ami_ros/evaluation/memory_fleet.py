"""What it takes to share a large memory with a fleet through a Lance data set (the extra `lance`)."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

from ami_ros.places.fleet import export_memory, import_memory

Figures = dict[str, float]


def share_a_memory(memory: Path, folder: Path) -> Figures:
    """Two robots send the same memory, and one of the two is taken out again.

    Args:
        memory: its file.
        folder: for the data set and for what comes out of it.

    Returns:
        Rates of the second export and of the import, and what a robot's part takes; nothing without the extra.
    """
    if importlib.util.find_spec("lance") is None:
        return {}
    data = folder / "fleet"
    export_memory(memory, data, "first")
    alone, start = _size(data), time.perf_counter()
    places, _ = export_memory(memory, data, "second")
    sent = time.perf_counter()
    import_memory(data, "second", folder / "back.memory")
    taken = time.perf_counter()
    return {
        "fleet_export_places_per_s": round(places / (sent - start)),
        "fleet_import_places_per_s": round(places / (taken - sent)),
        "fleet_mb_per_robot": round((_size(data) - alone) / 1e6, 1),
    }


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
