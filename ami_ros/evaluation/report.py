"""What reports of commands share: rates, the machine, and files of JSON."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.trials import Trial
from ami_ros.extras import importing
from ami_ros.hardware import processor_name

with importing("report"):
    import psutil


def success_rates(trials: Sequence[Trial]) -> dict[str, SuccessRate]:
    """Rates of the near and of the far goals."""
    return {kind: SuccessRate.of(t.success for t in trials if t.kind == kind) for kind in ("near", "far")}


def hardware() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Writes `report` whole or not at all: a reader never finds half a file.

    Raises:
        AmiError: the folder is missing, read-only or full.
    """
    temporary = ""
    try:
        text = json.dumps(report, indent=2, allow_nan=False) + "\n"
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise AmiError(f"cannot write {path}: {error.strerror or error}; choose another file for --json") from error
