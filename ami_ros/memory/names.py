"""What files of memories are called, and where they lie."""

from __future__ import annotations

import re
from pathlib import Path

from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code

SUFFIX = ".memory"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def memory_beside(model: Path, world: str) -> Path:
    """Where a model folder keeps the memory of a world: a name, or the file that describes it."""
    return model / f"{Path(world).stem}{SUFFIX}"


def named_file(folder: Path | None, name: str) -> Path:
    """The file of a memory of that name.

    Raises:
        AmiError: no folder, or a name that could lead out of it (`Code.INVALID_INPUT`).
    """
    if folder is None:
        raise AmiError("memory: there is no folder for memories; set memory_file or folder", Code.INVALID_INPUT)
    if not _NAME.fullmatch(name):
        raise AmiError(
            "memory: a name has 1 to 64 letters, digits, dots, dashes and underscores, and no path", Code.INVALID_INPUT
        )
    return folder / f"{name}{SUFFIX}"
