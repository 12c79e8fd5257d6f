"""A scenario: a file that says what is driven where, how often, and what is measured. Its trials are rows.

A row is a flat mapping, one for each trial. It has `part` and `seed`, and what the kind of scenario says happened.
Figures come from rows alone, so any figure can be made later from trials that were kept.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from ami_ros import __version__
from ami_ros.bench import kinds as measured_kinds
from ami_ros.bench import kinds as scenario_kinds
from ami_ros.bench.closed_loop import LoopConfig
from ami_ros.bench.kinds import Kind
from ami_ros.bench.report import SuccessRate, hardware
from ami_ros.core.config import from_mapping, parse_yaml, to_mapping, with_settings
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged

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


# The trials of a scenario on disk: JSON lines, a file for each part and seed, in a folder for each commit.
#
# A run that is interrupted goes on with the parts that are missing; parts may come from several machines.

REPOSITORY = Path(__file__).resolve().parents[2]
MEASURED = ("ami_ros", "ami_interfaces", "config", "models", "worlds")  # what figures depend on


def git(*arguments: str) -> str | None:
    """What git says in the repository; None outside of one."""
    command = ["git", "-C", str(REPOSITORY), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def version() -> str:
    """The commit that is checked out, `-changed` with what is not committed; outside of a repository the version."""
    commit = git("rev-parse", "--short", "HEAD")
    if commit is None:
        return __version__
    return f"{commit}-changed" if git("status", "--porcelain", "--", *MEASURED) else commit


class TrialStore:
    """The trials of one scenario at one version of the code.

    Args:
        folder: of all scenarios.
        scenario: whose.
        at: version; None: of now.
    """

    def __init__(self, folder: Path, scenario: Scenario, at: str | None = None) -> None:
        self.scenario, self.at = scenario, at or version()
        self.folder = folder / scenario.name / self.at

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Part and seed of all that is to be done, all parts of a seed first: what was interrupted has some of each."""
        seeds = range(self.scenario.seed, self.scenario.seed + self.scenario.seeds)
        return [(part.name, seed) for seed in seeds for part in self.scenario.made().parts()]

    def missing(self) -> list[tuple[str, int]]:
        """Of `keys`, those that are not there in whole."""
        return [key for key in self.keys if self.load(*key) is None]

    def rows(self) -> list[Row]:
        """All that is there."""
        return [row for key in self.keys for row in self.load(*key) or ()]

    def head(self) -> dict[str, Any]:
        """When and where the last part was measured; empty without any."""
        heads = [self._lines(*key)[0] for key in self.keys if self._file(*key).is_file()]
        return max(heads, key=lambda head: str(head["date"]), default={})

    def load(self, part: str, seed: int) -> list[Row] | None:
        """The rows of a part; None: it is not there, or was interrupted.

        Raises:
            AmiError: it was measured with other settings, or the file is damaged.
        """
        file = self._file(part, seed)
        if not file.is_file():
            return None
        lines = self._lines(part, seed)
        if lines[0].get("settings") != json.loads(json.dumps(self.scenario.settings)):
            raise AmiError(f"bench {self.scenario.name}: {file} is of a run with other settings; choose another --out")
        return lines[1:-1] if lines[-1].get("end") else None

    def _lines(self, part: str, seed: int) -> list[Row]:
        file = self._file(part, seed)
        text = file.read_text(encoding="utf-8")
        try:
            return [json.loads(line) for line in text.splitlines()[: text.count("\n")]] or [{}]
        except ValueError as error:
            raise AmiError(f"bench {self.scenario.name}: {file} cannot be read ({error}); delete it") from error

    def keep(self, part: str, seed: int, rows: Iterable[Row]) -> Iterator[Row]:
        """Writes rows as they come, and gives them on.

        Raises:
            AmiError: the folder cannot be written.
        """
        began = time.monotonic()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        head = {"settings": self.scenario.settings, "version": self.at, "date": now} | hardware()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self._file(part, seed), "w", encoding="utf-8", buffering=1) as file:
                file.write(json.dumps(head) + "\n")
                for row in rows:
                    own = {"part": part, "seed": seed} | row
                    file.write(json.dumps(own, allow_nan=False) + "\n")
                    yield own
                file.write(json.dumps({"end": True, "seconds": round(time.monotonic() - began, 1)}) + "\n")
        except OSError as error:
            raise AmiError(f"bench: cannot write {self.folder} ({error.strerror}); choose another --out") from error

    def _file(self, part: str, seed: int) -> Path:
        return self.folder / f"{part.replace(' ', '_').replace('/', '_')}-{seed}.jsonl"
