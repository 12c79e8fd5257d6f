"""A scenario: a file that says what is driven where, how often, and what is measured. Its trials are rows of columns.

A row is a flat mapping, one for each trial. It has `part` and `seed`, and what the kind of scenario says happened.
Figures come from rows alone, so any figure can be made later from trials that were kept: JSON lines, a file for each
part and seed, in a folder for each commit. A run that is interrupted goes on with the parts that are missing; parts may
come from several machines.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import yaml

from ami_ros import __version__
from ami_ros.bench.report import SuccessRate, hardware
from ami_ros.core.config import from_mapping, parse_yaml, to_mapping, with_settings
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged, share
from ami_ros.memory.files import memory_beside
from ami_ros.simulation.buildings.kinds import FIRST_TEST_SEED, PREFIX, BuildingName, building_name

Row = dict[str, Any]
Report = Callable[[str], None]  # is told what is going on
KINDS = {  # kind -> the module of this package that has its class
    "planning": "known_world", "buildings": "buildings", "recovery": "known_world", "adaptation": "adaptation",
    "people": "people", "change": "buildings", "logs": "logs", "solvers": "solvers", "legs": "walkers",
    "predict": "walkers", "pictures": "pictures", "control": "control", "looks": "looks", "sharing": "fleet",
    "merge": "fleet",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A piece of a scenario that is driven as a whole, for each seed."""

    name: str
    after: str = ""  # name of the part that it follows


class Kind(Protocol):
    """Options of a kind of scenario; a frozen dataclass, made by `config.from_mapping`.

    Parts can run side by side in processes; one that follows another gets its rows.
    """

    def parts(self) -> Sequence[Part]:
        """What there is to do for each seed. Raises AmiError: options that cannot be driven."""
        ...

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Drives a part; `before` are the rows of the part that it follows. Raises AmiError as what it calls."""
        ...


def kind_class(kind: str) -> type[Any]:
    """The class of one of KINDS."""
    found: type[Any] = getattr(import_module(f"ami_ros.bench.{KINDS[kind]}"), kind.capitalize())
    return found


def model_at(named: str, otherwise: str) -> Path:
    """The folder of a model: the one that is named by its path, or by its name in models/, else `otherwise` there."""
    return (
        Path(named) if named and Path(named).is_dir() else share("models", named.removeprefix("models/") or otherwise)
    )


def memory_at(named: str, model: Path, world: str) -> Path:
    """The file of a memory; by default the one beside the model. Raises AmiError: there is none."""
    file = Path(named) if named else memory_beside(model, world)
    if not file.is_file():
        raise AmiError(f"bench: there is no memory {file}; make one with ./ami remember, and set options.memory")
    return file


def recordings(where: str, pattern: str, what: str) -> list[Path]:
    """The file, or all of a folder. Raises AmiError: there is none."""
    path = Path(where)
    found = [path] if where and path.is_file() else sorted(path.glob(pattern)) if where else []
    if not found:
        raise AmiError(f"bench: there are no {what} in '{where}'; say where they are: ./ami bench NAME FOLDER")
    return found


def chosen(named: Sequence[str], known: Iterable[str]) -> list[str]:
    """Those of `known` that are named; all, where none is. Raises AmiError: one is not known."""
    there = list(known)
    for name in named:
        if name not in there:
            raise AmiError(f"bench: there is no baseline '{name}'; there are {', '.join(there)}")
    return [name for name in there if not named or name in named]


def unseen_building(kind: str, seed: int, number: int = 0) -> BuildingName:
    """A building for tests; with kind "" of the kind that its seed draws."""
    return building_name(f"{PREFIX}{kind and f'{kind}:'}{FIRST_TEST_SEED + 1000 * seed + number}")


@dataclass(frozen=True)
class Measure:
    """One figure of a scenario, made from its rows."""

    what: str  # in words, with the unit
    value: str  # key of the rows: a truth value for a rate, else a number; rows without it do not count
    statistic: Literal["rate", "median", "p95", "mean", "sum", "largest", "smallest"] = "rate"
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
        wanted = {key: value if isinstance(value, list) else [value] for key, value in self.where.items()}
        groups: dict[str, list[Row]] = {} if self.by else {"": []}
        for row in rows:
            if self.value in row and all(row.get(key) in values for key, values in wanted.items()):
                groups.setdefault(str(row.get(self.by, "")) if self.by else "", []).append(row)
        for group, own in groups.items():
            yield Figure(self, group, *(self._rate(own) if self.statistic == "rate" else self._number(own)))

    def _rate(self, rows: list[Row]) -> tuple[int, SuccessRate, float | None]:
        tried = sum(int(row[self.of]) for row in rows) if self.of else len(rows)
        done = sum(int(row[self.value]) if self.of else bool(row[self.value]) for row in rows)
        rate = SuccessRate.counted(done, tried)
        return rate.n, rate, rate.rate

    def _number(self, rows: list[Row]) -> tuple[int, None, float | None]:
        values: list[float] = []
        for row in rows:
            found = row[self.value]
            values += found if isinstance(found, list) else [math.inf if found is None else found]
        if not values:
            return 0, None, None
        ordered, share = np.sort(values), {"median": 0.5, "p95": 0.95}.get(self.statistic)
        if share is not None:  # what never came, None, is later than everything
            return len(values), None, float(ordered[math.ceil(share * len(ordered)) - 1])
        of_all: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "largest": np.max, "smallest": np.min}
        return len(values), None, float(of_all[self.statistic](ordered))


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
    """What a file says."""

    kind: str  # one of KINDS
    about: str  # one line: what it shows
    measures: tuple[Measure, ...]
    seed: int = 0  # the first one; seeds of figures were looked at by nobody before
    seeds: int = 1  # how many
    options: dict[str, Any] = field(default_factory=dict)  # the fields of the kind's class
    name: str = ""  # the file's, where it does not say

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no kind '{self.kind}'; there are {', '.join(KINDS)}")
        if not 1 <= self.seeds <= 10_000 or self.seed < 0:
            raise ValueError("seeds must be 1 to 10,000, and seed at least 0")

    def made(self) -> Kind:
        """What drives. Raises AmiError: unknown options."""
        made: Kind = from_mapping(kind_class(self.kind), self.options, f"scenario {self.name}: options")
        return made

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
            `closed_loop.LoopConfig`, `agent.navigator.planner.solver.samples=64`.

    Raises:
        AmiError: there is none, it is malformed, or a setting does not fit.
    """
    shipped = packaged("scenarios")
    file = Path(source) if source.endswith((".yaml", ".yml")) else shipped.get(source)
    if file is None:
        raise AmiError(f"bench: there is no scenario '{source}'; there are {', '.join(shipped)}, or give a file")
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
    of_stack: set[str] = set()
    if settings and hasattr(kind, "set"):
        of_stack = {f.name for f in fields(import_module("ami_ros.bench.closed_loop").LoopConfig)}
    for setting in settings:
        key = setting.partition("=")[0].split(".")[0]
        if key in of_stack:
            stack.append(setting)
        elif key == "options" or (hasattr(kind, key) and key not in {f.name for f in fields(Scenario)}):
            own.append(setting.removeprefix("options."))
        else:
            rest.append(setting)
    options = to_mapping(with_settings(kind, own))
    return options | ({"set": [*options["set"], *stack]} if stack else {}), rest


def git(*arguments: str) -> str | None:
    """What git says in the repository; None outside of one."""
    command = ["git", "-C", str(Path(__file__).resolve().parents[2]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def version() -> str:
    """The commit that is checked out, `-changed` with what is not committed; outside of a repository the version."""
    commit = git("rev-parse", "--short", "HEAD")
    if commit is None:
        return __version__
    measured = "ami_ros", "ami_interfaces", "config", "models", "worlds"  # what figures depend on
    return f"{commit}-changed" if git("status", "--porcelain", "--", *measured) else commit


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
        heads = [lines[0] for key in self.keys if (lines := self._lines(*key))]
        return max(heads, key=lambda head: str(head["date"]), default={})

    def load(self, part: str, seed: int) -> list[Row] | None:
        """The rows of a part; None: it is not there, or was interrupted.

        Raises:
            AmiError: it was measured with other settings, or the file is damaged.
        """
        if not (lines := self._lines(part, seed)):
            return None
        if lines[0].get("settings") != json.loads(json.dumps(self.scenario.settings)):
            file = self.file(part, seed)
            raise AmiError(f"bench {self.scenario.name}: {file} is of a run with other settings; choose another --out")
        return lines[1:-1] if lines[-1].get("end") else None

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
            with open(self.file(part, seed), "w", encoding="utf-8", buffering=1) as file:
                file.write(json.dumps(head) + "\n")
                for row in rows:
                    own = {"part": part, "seed": seed} | row
                    file.write(json.dumps(own, allow_nan=False) + "\n")
                    yield own
                file.write(json.dumps({"end": True, "seconds": round(time.monotonic() - began, 1)}) + "\n")
        except OSError as error:
            raise AmiError(f"bench: cannot write {self.folder} ({error.strerror}); choose another --out") from error

    def file(self, part: str, seed: int) -> Path:
        """Of one part: head, rows and end, a line of JSON each."""
        return self.folder / f"{part.replace(' ', '_').replace('/', '_')}-{seed}.jsonl"

    def _lines(self, part: str, seed: int) -> list[Row]:
        """Head, rows and end, as far as they are whole; none where there is no file."""
        file = self.file(part, seed)
        if not file.is_file():
            return []
        text = file.read_text(encoding="utf-8")
        try:
            return [json.loads(line) for line in text.splitlines()[: text.count("\n")]] or [{}]
        except ValueError as error:
            raise AmiError(f"bench {self.scenario.name}: {file} cannot be read ({error}); delete it") from error
