"""Run a benchmark. `./ami bench SCENARIO` runs a scenario: a file, or one of scenarios/."""

from __future__ import annotations

from collections.abc import Sequence

from ami_ros.share import packaged

# Each is the function `main` of the module `ami_ros.app.bench_<name>`.
PARTS = (
    "change", "console", "control", "gate", "latency", "legs", "memory", "people", "pictures", "predict", "release",
    "scale", "scenario", "soak",
)  # fmt: skip


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """`SCENARIO ...` as `scenario SCENARIO ...`."""
    first = arguments[0] if arguments else ""
    is_scenario = first not in PARTS and (first.endswith((".yaml", ".yml")) or first in packaged("scenarios"))
    return ["scenario", *arguments] if is_scenario else list(arguments)
