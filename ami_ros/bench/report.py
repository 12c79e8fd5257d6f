"""What reports share: rates with the interval that few trials deserve, the machine, and files of JSON."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.bench.trials import Trial
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import importing, processor_name

with importing("report"):
    import psutil


def wilson_interval(reached: int, n: int) -> tuple[float, float]:
    """The Wilson score interval (JASA 22, 1927), 95 %, of so many successes in `n` trials; without any it is (0, 1)."""
    if not n and not reached:
        return 0.0, 1.0
    from scipy.stats import binomtest  # takes most of a second, which commands that count nothing do without

    found = binomtest(reached, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class SuccessRate:
    """How often a kind of goal was reached; `rate` is None when none was tried."""

    n: int
    reached: int
    rate: float | None
    wilson_low: float
    wilson_high: float

    @classmethod
    def counted(cls, reached: int, n: int) -> SuccessRate:
        """So many of so many."""
        return cls(n, reached, reached / n if n else None, *wilson_interval(reached, n))

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> SuccessRate:
        """Of trials, each of which succeeded or not."""
        results = list(outcomes)
        return cls.counted(sum(results), len(results))

    def to_json(self) -> dict[str, float | int | None]:
        return asdict(self)

    def __str__(self) -> str:
        if self.rate is None:
            return "none tried"
        low, high = 100 * self.wilson_low, 100 * self.wilson_high
        return f"{self.reached}/{self.n} = {100 * self.rate:.0f} % ({low:.0f} to {high:.0f} %)"


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


def figures_by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of drives to goals as other programs read them, under the same names for all scenarios with such goals:
    by the day or the method of the rows, or else by their part of the scenario.

    Near and far goals {n, reached, wilson_low, wilson_high}, contacts, false claims, times [s] of the goals that were
    reached, and the nearest approach [m].
    """
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        arms.setdefault(str(row.get("day") or row.get("method") or row.get("part")), []).append(row)
    found: dict[str, Any] = {}
    for arm, own in arms.items():
        goals = {k: [row for row in own if row.get("kind") == k and "reached" in row] for k in ("near", "far")}
        driven = [row for kind in goals.values() for row in kind]
        if not driven:
            continue
        claims = {"n": "false_success", "claims": "claimed"}
        found[arm] = {
            **{kind: SuccessRate.of(r["reached"] for r in each).to_json() for kind, each in goals.items()},
            "false_success": {name: sum(bool(row.get(key)) for row in driven) for name, key in claims.items()},
            "times": {kind: _times(each) for kind, each in (("all", driven), *goals.items())},
            "collisions": sum(row.get("collisions", 0) for row in driven),
        }
        if any("robot_moving" in row for row in driven):  # with people; see `simulation.contacts`
            names = "robot_moving", "robot_standing", "leaving", "could_leave"
            found[arm]["contacts"] = {name: sum(row.get(name, 0) for row in own) for name in names}
            near = [row["nearest_m"] for row in own if row.get("nearest_m") is not None]
            found[arm]["nearest_approach_m"] = min(near, default=None)
    return found


def _times(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    times = [row["time_s"] for row in rows if row["reached"] and row.get("time_s") is not None]
    median, late = np.percentile(times, [50, 95]) if times else (None, None)
    return {"median_s": None if median is None else round(float(median), 2),
            "p95_s": None if late is None else round(float(late), 2)}  # fmt: skip


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; what would end a cell or begin a tag is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|").replace("<", "\\<") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)
