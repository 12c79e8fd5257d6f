"""Files that come with the package: in the source tree that this runs from, or in an installation's share folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ami_ros.errors import AmiError


def _roots() -> list[Path]:
    """The source tree goes before installed copies, of which the last is that of pip."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    shared = [prefix / "share" / "ami_ros" for prefix in (*prefixes, Path(sys.prefix))]
    return [Path(__file__).resolve().parents[1], *shared]


def share(folder: str, name: str) -> Path:
    """A file or folder of the package.

    Raises:
        AmiError: no copy of the package has it.
    """
    for root in _roots():
        if (root / folder / name).exists():
            return root / folder / name
    raise AmiError(f"{folder}/{name} is in none of the installed copies of ami_ros; install it again")


def packaged(folder: str) -> dict[str, Path]:
    """Name -> YAML file, of all that are in a folder of the package."""
    found: dict[str, Path] = {}
    for root in _roots():
        for file in sorted((root / folder).glob("*.yaml")):
            found.setdefault(file.stem, file)
    return found


def names(folder: str, file: str) -> list[str]:
    """Names of the folders below a folder of the package that have such a file."""
    return sorted({path.parent.name for root in _roots() for path in (root / folder).glob(f"*/{file}")})
