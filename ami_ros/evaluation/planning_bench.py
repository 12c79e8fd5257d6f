"""What the methods of `./ami bench planning` did: kept in files, so that a run can go on, and summed up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.planning_methods import METHODS, Row
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.report import write_json


@dataclass(frozen=True)
class Kept:
    """Rows on disk, a file for each method and seed.

    Args:
        folder: where; None: nothing is kept.
        settings: of the run; files of other settings are refused.
        bench: whose they are, for messages.
    """

    folder: Path | None
    settings: Mapping[str, Any]
    bench: str = "planning"

    def load(self, method: str, seed: int) -> list[Row] | None:
        """What that method did there in an earlier run.

        Raises:
            AmiError: it was a run of other settings, or the file is damaged.
        """
        file = self._file(method, seed)
        if file is None or not file.is_file():
            return None
        try:
            found = json.loads(file.read_text())
            settings, rows = dict(found["settings"]), list(found["rows"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise AmiError(f"bench {self.bench}: {file} cannot be read ({type(error).__name__}); delete it") from error
        other = [name for name, value in self.settings.items() if settings.get(name) != value]
        if other:
            raise AmiError(
                f"bench {self.bench}: {file} is of a run with another {', '.join(other)}; choose another --trials"
            )
        return rows

    def keep(self, method: str, seed: int, rows: Sequence[Row]) -> None:
        """Raises AmiError if the folder cannot be written."""
        file = self._file(method, seed)
        if file is None:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AmiError(f"bench {self.bench}: cannot make {file.parent} ({error.strerror})") from error
        write_json(file, {"settings": dict(self.settings), "rows": list(rows)})

    def _file(self, method: str, seed: int) -> Path | None:
        return self.folder / f"{method.replace(' ', '_')}-{seed}.json" if self.folder is not None else None


def rate_of(rows: Sequence[Row], kind: str) -> SuccessRate:
    """How many tasks of a kind were done."""
    tried = sum(row["tried"] for row in rows if row["kind"] == kind)
    reached = sum(row["reached"] for row in rows if row["kind"] == kind)
    return SuccessRate.of([*repeat(True, reached), *repeat(False, tried - reached)])


def spread(values: Sequence[float]) -> tuple[float, float] | None:
    """p50 and p95; None of nothing."""
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return float(p50), float(p95)


def times_of(rows: Sequence[Row], kind: str) -> tuple[float, float] | None:
    """p50 and p95 of the simulated time [s] that tasks of a kind took, reached or not."""
    return spread([row["time_s"] for row in rows if row["kind"] == kind])


def searches_of(rows: Sequence[Row]) -> tuple[float, float] | None:
    """p50 and p95 of a search [ms]."""
    return spread([ms for row in rows for ms in row["plan_ms"]])


def impulse_share(rows: Sequence[Row]) -> float:
    """Of all plans, those that the policy made alone (mode 1)."""
    plans = sum(len(row["plan_ms"]) for row in rows)
    return round(sum(row.get("impulses", 0) for row in rows) / plans, 4) if plans else 0.0


def figures_of(method: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Flat figures, named by the method."""
    key = method.replace(" ", "_")
    found: dict[str, Any] = {f"{key}_collisions": sum(row["collisions"] for row in rows)}
    for kind in METHODS[method].floors:
        found |= {f"{key}_{kind}_{name}": value for name, value in rate_of(rows, kind).to_json().items()}
        found |= _named(f"{key}_{kind}_time", "s", times_of(rows, kind))
    share = impulse_share(rows)
    return found | _named(f"{key}_plan", "ms", searches_of(rows)) | ({f"{key}_mode_1_share": share} if share else {})


def _named(name: str, unit: str, values: tuple[float, float] | None) -> dict[str, float]:
    if values is None:
        return {}
    return {f"{name}_p50_{unit}": round(values[0], 2), f"{name}_p95_{unit}": round(values[1], 2)}
