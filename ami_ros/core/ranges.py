"""Drawing what a file of ranges names, by a seed: `[low, high]` of numbers, a list of what to choose from, a chance."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share


@cache
def ranges(name: str) -> dict[str, Any]:
    """What config/NAME.yaml says. Raises AmiError: it is not there, or no YAML."""
    path = Path(share("config", f"{name}.yaml"))
    try:
        return dict(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise AmiError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


class Draw:
    """Draws from the ranges in `values` with `rng`; a name with dots reaches into groups.

    Raises AmiError for what the ranges do not name.
    """

    def __init__(self, values: dict[str, Any], rng: np.random.Generator) -> None:
        self.values, self.rng = values, rng

    def __getitem__(self, name: str) -> Any:
        value: Any = self.values
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                raise AmiError(f"no range '{name}' is given")
            value = value[part]
        return value

    def with_rng(self, rng: np.random.Generator) -> Draw:
        """The same ranges, drawn from by another generator."""
        return Draw(self.values, rng)

    def number(self, name: str) -> float:
        """Of [low, high], evenly; of one number that number."""
        value = self[name]
        return float(value) if isinstance(value, int | float) else round(float(self.rng.uniform(*value)), 4)

    def count(self, name: str) -> int:
        """A whole number of [low, high], both of them possible."""
        low, high = self[name]
        return int(self.rng.integers(low, high + 1))

    def chance(self, name: str) -> bool:
        """Whether it happens, by its probability."""
        return bool(self.rng.random() < self[name])

    def choice(self, name: str) -> Any:
        """One of a list; of a mapping to weights one of its keys."""
        value = self[name]
        if isinstance(value, dict):
            weights = np.array(list(value.values()), dtype=np.float64)
            return list(value)[int(self.rng.choice(len(weights), p=weights / weights.sum()))]
        return value[int(self.rng.integers(len(value)))]
