"""Measure what ami_ros can do on this machine; all that is compared is measured in one run."""

from __future__ import annotations

from pathlib import Path

from ami_ros.errors import AmiError
from ami_ros.places.files import memory_beside
from ami_ros.share import share

# Each is the function `main` of the module `ami_ros.app.bench_<name>`.
PARTS = (
    "adaptation",
    "buildings",
    "change",
    "control",
    "data",
    "fuzz",
    "gate",
    "latency",
    "legs",
    "logs",
    "memory",
    "people",
    "places",
    "planning",
    "recovery",
    "report",
    "soak",
    "solver",
    "swm",
)


def model_and_memory(model: Path | None, memory: Path | None, world: str) -> tuple[Path, Path]:
    """The model folder and the memory of `world`: those named, else the model that ships, and the memory beside it.

    Raises:
        AmiError: there is no such memory.
    """
    folder = model or share("models", "onboard")
    file = memory or memory_beside(folder, world)
    if not file.is_file():
        raise AmiError(f"there is no memory {file}; make one with ./ami remember, and name it by --memory")
    return folder, file
