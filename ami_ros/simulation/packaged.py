"""Where the worlds lie that come with the package: in its share folder when installed, else in the source tree."""

from __future__ import annotations

import os
from pathlib import Path


def packaged_worlds() -> dict[str, Path]:
    """Name -> YAML file. The source tree that this module runs from goes before installed copies."""
    source = Path(__file__).resolve().parents[2]
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    folders = [source / "worlds", *(prefix / "share" / "ami_ros" / "worlds" for prefix in prefixes)]
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.yaml")):
            found.setdefault(file.stem, file)
    return found
