"""A scenario: a file that says what is driven where, how often, and what is measured. Its trials are rows.

A row is a flat mapping, one for each trial. It has `part` and `seed`, and what the kind of scenario says happened.
Figures come from rows alone, so any figure can be made later from trials that were kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from ami_ros.config import from_mapping, parse_yaml, to_mapping, with_settings
from ami_ros.errors import AmiError
from ami_ros.evaluation import measured_kinds, scenario_kinds
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.scenario_kinds import Kind
from ami_ros.share import packaged

Row = dict[str, Any]
Statistic = Literal["rate", "median", "p95", "mean", "sum", "largest", "smallest"]
FOLDER = "scenarios"  # of those that ship
KINDS: dict[str, type[Any]] = {
    cls.__name__.lower(): cls
    for module in (scenario_kinds, measured_kinds)
    for cls in vars(module).values()
    if isinstance(cls, type) and cls.__module__ == module.__name__ and hasattr(cls, "run") and cls is not Kind
}


@dataclass(frozen=True)
class Measure:
    """One figure of a scenario, made from its rows."""

    what: str  # in words, with the unit
    value: str  # key of the rows: a truth value for a rate, else a number; rows without it do not count
    statistic: Statistic = "rate"
    where: dict[str, Any] = field(default_factory=dict)  # key: the value that a row has to have, or a list of values
    by: str = ""  # key: a figure for each of its values
    of: str = ""  # of a rate over counts: key of how many were tried, `value` being how many of them succeeded
    floor: float | None = None  # least rate that is wanted
    headline: bool = True  # whether it goes into the page of figures

    def __post_init__(self) -> None:
        if self.of and self.statistic != "rate":
            raise ValueError("'of' belongs to a rate")

    def figures(self, rows: Sequence[Row]) -> Iterator[Figure]:
        """One, or one for each value of `by`."""
        chosen = [row for row in rows if self.value in row and self._counts(row)]
        groups = dict.fromkeys(str(row.get(self.by, "")) for row in chosen) if self.by else {"": None}
        for group in groups:
            own = [row for row in chosen if not self.by or str(row.get(self.by, "")) == group]
            yield Figure(self, group, *self._of(own))

    def _counts(self, row: Row) -> bool:
        return all(row.get(key) in (v if isinstance(v, list) else [v]) for key, v in self.where.items())

    def _of(self, rows: list[Row]) -> tuple[int, SuccessRate | None, float | None]:
        if self.statistic == "rate":
            if self.of:
                tried, done = (sum(int(row[key]) for row in rows) for key in (self.of, self.value))
                rate = SuccessRate.of([True] * done + [False] * (tried - done))
            else:
                rate = SuccessRate.of(bool(row[self.value]) for row in rows)
            return rate.n, rate, rate.rate
        values: list[float] = []
        for row in rows:
            found = row[self.value]
            values += found if isinstance(found, list) else [math.inf if found is None else found]
        if not values:
            return 0, None, None
        ordered = np.sort(values)  # what never came, None, is later than everything
        whole = {"mean": ordered.mean(), "sum": ordered.sum(), "largest": ordered[-1], "smallest": ordered[0]}
        if self.statistic in whole:
            return len(values), None, float(whole[self.statistic])
        share = 0.95 if self.statistic == "p95" else 0.5
        return len(values), None, float(ordered[math.ceil(share * len(ordered)) - 1])


@dataclass(frozen=True)
class Figure:
    """What a measure gave for one group of rows."""

    measure: Measure
    group: str
    n: int
    rate: SuccessRate | None
    value: float | None  # None: there were no rows

    def __str__(self) -> str:
        if self.value is None:
            return "none"
        if self.rate is None and self.value == math.inf:
            return "never"
        if self.rate is None:
            return f"{self.value:.0f}" if self.value == round(self.value) else f"{self.value:.3g}"
        if self.rate.reached == 0:  # what the share is surely below, rounded up
            return f"0 of {self.n} (below {math.ceil(1000 * self.rate.wilson_high) / 10:g} %)"
        low, high = 100 * self.rate.wilson_low, 100 * self.rate.wilson_high
        return f"{self.rate.reached} of {self.n} ({low:.0f} to {high:.0f} %)"

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.group}: {self.measure.what}" if self.group else self.measure.what

    def to_json(self) -> dict[str, Any]:
        """Name, n, value and text; JSON knows no infinity, so what never came has null for a value."""
        value = None if self.value == math.inf else self.value
        return {"what": self.name, "n": self.n, "value": value, "figure": str(self)}


@dataclass(frozen=True)
class Scenario:
    """What a file says. `options` are those of the kind, see `scenario_kinds`."""

    kind: str  # see `scenario_kinds`
    about: str  # one line: what it shows
    measures: tuple[Measure, ...]
    seed: int = 0  # the first one; seeds of figures were looked at by nobody before
    seeds: int = 1  # how many
    options: dict[str, Any] = field(default_factory=dict)
    name: str = ""  # the file's, where it does not say

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no kind '{self.kind}'; there are {', '.join(KINDS)}")
        if not 1 <= self.seeds <= 10_000 or self.seed < 0:
            raise ValueError("seeds must be 1 to 10,000, and seed at least 0")

    def made(self) -> Kind:
        """What drives. Raises AmiError: unknown options."""
        return from_mapping(KINDS[self.kind], self.options, f"scenario {self.name}: options")

    @property
    def settings(self) -> dict[str, Any]:
        """What trials have to have in common to be pooled."""
        return {"kind": self.kind, "options": to_mapping(self.made())}

    def figures(self, rows: Sequence[Row]) -> list[Figure]:
        """All of its measures."""
        return [figure for measure in self.measures for figure in measure.figures(rows)]


def load_scenario(source: str, settings: Sequence[str] = ()) -> Scenario:
    """A scenario by its file, or by the name of one that ships.

    Args:
        source: file or name.
        settings: `seeds=3`; of the kind's options `world=home` or `options.world=home`; of the driving stack, see
            `LoopConfig`, `agent.navigator.planner.solver.samples=64`.

    Raises:
        AmiError: there is none, it is malformed, or a setting does not fit.
    """
    file = Path(source) if source.endswith((".yaml", ".yml")) else packaged(FOLDER).get(source)
    if file is None:
        raise AmiError(
            f"bench: there is no scenario '{source}'; there are {', '.join(packaged(FOLDER))}, or give a file"
        )
    try:
        values = parse_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AmiError(f"bench: {file} cannot be read: {str(error).splitlines()[0]}") from error
    named = {"name": file.stem, **values} if isinstance(values, Mapping) else values
    found = from_mapping(Scenario, named, f"scenario {file}")
    options, rest = _with_options(found.made(), settings)
    changed = with_settings(found, rest)
    return from_mapping(Scenario, to_mapping(changed) | {"options": options}, f"scenario {file}")


def _with_options(kind: Any, settings: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Options of a kind with the settings that are its own or the stack's, and the settings that are left."""
    own, stack, rest = [], [], []
    for setting in settings:
        key = setting.partition("=")[0].split(".")[0]
        if key in {f.name for f in fields(LoopConfig)} and hasattr(kind, "set"):
            stack.append(setting)
        elif key == "options" or (hasattr(kind, key) and key not in {f.name for f in fields(Scenario)}):
            own.append(setting.removeprefix("options."))
        else:
            rest.append(setting)
    options = to_mapping(with_settings(kind, own))
    return options | ({"set": [*options["set"], *stack]} if stack else {}), rest
