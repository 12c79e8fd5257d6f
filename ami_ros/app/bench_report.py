"""`./ami bench report`: docs/figures.md from docs/figures/figures.json, and new figures into that file."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ami_ros.app.tables import table
from ami_ros.config import from_mapping
from ami_ros.errors import AmiError

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path("docs", "figures", "figures.json")
PAGE = Path("docs", "figures.md")
RECORDED = frozenset({DATA.as_posix(), PAGE.as_posix()})  # what --add itself changes
HEADER = ("what", "figure", "sample", "command", "measured", "")
INTRODUCTION = """# Figures

Written by `./ami bench report` from [figures.json](figures/figures.json); do not edit it by hand.

Each row is printed by the command beside it. Reached means: the action ended as succeeded, the robot stands still,
and the simulator knows it to be within 0.30 m and 30 degrees of where the picture was taken, after at most 30 s for a
near goal (same room, 0.5 to 1.5 m) and 90 s for a far one (another room), or 60 and 300 s where the sample says that
the robot looks for goals that long; 6 s a metre if that is more. Start and goal have any heading; intervals are
Wilson's, 95 %. Seeds were used neither for training nor for tuning. No GPU, Linux x86_64, Python 3.11.

**Stale** marks a row whose code has changed since it was measured: `git diff` between the commit of the row and the
files at hand names a file under the row's paths, and if it is Python, more than comments and docstrings differ. The
paths are listed for each run in figures.json as `code`, models included; a name there stands for the group of paths
under `code` at the top of the file. A stale row is not wrong, but nobody has measured it since. To measure it anew,
commit your changes, run the command with `--json FILE`, then `./ami bench report --add RUN --json FILE` with the name
of its run.
"""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: is measured.
        figure: as it was measured.
        template: the figure with `{key}` or `{key:.1f}` for what the command writes by `--json`; nested keys are joined
            by "_", and the common part of `..._reached` and `..._n` gives a rate with its interval. Empty: by hand.
    """

    what: str
    figure: str
    template: str = ""


@dataclass(frozen=True)
class Run:
    """What one command measured, where and when; `code`: paths, or groups of paths, that its figures depend on."""

    name: str
    command: str
    sample: str
    commit: str
    date: str
    machine: str
    code: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Figures:
    """The data file: named groups of paths, and the runs in the order of the page."""

    code: dict[str, tuple[str, ...]]
    runs: tuple[Run, ...]

    def paths(self, run: Run) -> list[str]:
        """The paths that a run depends on, groups replaced by theirs."""
        return [path for name in run.code for path in self.code.get(name, (name,))]


class _Values(dict[str, Any]):
    """Flat figures of a JSON file; the name of a rate gives "29 of 30 (83 to 99 %)"."""

    def __missing__(self, key: str) -> str:
        if f"{key}_wilson_low" not in self:
            raise KeyError(key)
        n, reached, low, high = (self[f"{key}_{part}"] for part in ("n", "reached", "wilson_low", "wilson_high"))
        return f"{reached} of {n} ({100 * low:.0f} to {100 * high:.0f} %)"


def main(
    add: Annotated[str, typer.Option(metavar="RUN", help="Run of docs/figures/figures.json to take figures for.")] = "",
    json: Annotated[Path | None, typer.Option(help="File that the run's command has written by --json.")] = None,
) -> None:
    """Write docs/figures.md and mark the rows whose code has changed since they were measured."""
    if bool(add) != (json is not None):
        raise AmiError("bench report: --add RUN and --json FILE belong together")
    figures = read(REPOSITORY / DATA)
    if json is not None:
        figures = added(figures, add, json, REPOSITORY)
        write(REPOSITORY / DATA, figures)
    stale = stale_runs(figures, REPOSITORY)
    (REPOSITORY / PAGE).write_text(page(figures, stale), encoding="utf-8")
    for run in figures.runs:
        typer.echo(f"{'stale' if run.name in stale else 'fresh'}  {run.name}: {run.command}")


def read(file: Path) -> Figures:
    """Raises AmiError: the file is not there, is no JSON, or has a key or a type that does not belong there."""
    try:
        return from_mapping(Figures, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise AmiError(f"bench report: {file} cannot be read: {error}") from error


def write(file: Path, figures: Figures) -> None:
    """Writes the data file, a key a line, so that a diff shows what changed."""
    file.write_text(json.dumps(asdict(figures), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def page(figures: Figures, stale: Collection[str]) -> str:
    """docs/figures.md, with the runs named in `stale` marked."""
    rows = []
    for run in figures.runs:
        origin = (run.sample, f"`{run.command}`", f"{run.commit}, {run.date}, {run.machine}")
        for row in run.rows:
            rows.append((row.what, row.figure, *origin, "stale" if run.name in stale else ""))
            origin = ("the same run",) * 3
    return f"{INTRODUCTION}\n{table(HEADER, rows)}\n"


def stale_runs(figures: Figures, repository: Path) -> set[str]:
    """Names of the runs whose code differs from that of their commit by more than comments and docstrings."""
    stale = set()
    for run in figures.runs:
        names = _git(repository, "diff", "--name-only", "--no-renames", run.commit, "--", *figures.paths(run))
        if any(_changed(repository, run.commit, name) for name in names.splitlines()):
            stale.add(run.name)
    return stale


def _changed(repository: Path, commit: str, name: str) -> bool:
    file = repository / name
    if file.suffix != ".py" or not file.is_file() or not _git(repository, "ls-tree", commit, "--", name):
        return True
    return _code(_git(repository, "show", f"{commit}:{name}")) != _code(file.read_text(encoding="utf-8"))


def _code(text: str) -> str:
    """What Python makes of a file, less its docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            del node.body[0]
    return ast.dump(tree)


def added(figures: Figures, name: str, file: Path, repository: Path) -> Figures:
    """`figures` with those of the run `name` taken from `file`, as measured now, by the commit that is checked out.

    Raises:
        AmiError: there is no such run, the file is of another seed or lacks a figure, a row has no template, or code
            that the run depends on is not committed.
    """
    run = next((run for run in figures.runs if run.name == name), None)
    if run is None:
        raise AmiError(f"bench report: no run '{name}'; known are {', '.join(run.name for run in figures.runs)}")
    values = _values(file)
    seed = re.search(r"--seed (\d+)", run.command)
    if seed and str(values.get("seed")) != seed[1]:
        raise AmiError(f"bench report: {file} is of seed {values.get('seed')}, the run '{name}' of seed {seed[1]}")
    changed = {line[3:] for line in _git(repository, "status", "--porcelain", "--", *figures.paths(run)).splitlines()}
    if changed - RECORDED:
        raise AmiError(f"bench report: {min(changed - RECORDED)} is not committed; figures belong to a commit")
    measured = replace(
        run,
        commit=_git(repository, "rev-parse", "--short", "HEAD").strip(),
        date=datetime.now(UTC).date().isoformat(),
        machine=_machine(values, file),
        rows=tuple(_filled(row, values, file) for row in run.rows),
    )
    return replace(figures, runs=tuple(measured if old is run else old for old in figures.runs))


def _machine(values: _Values, file: Path) -> str:
    for prefix in ("", "hardware_"):  # flat, as benches write it, or in a part of its own, as the demo does
        if f"{prefix}processor" in values:
            return f"{values[f'{prefix}cores']} cores of {values[f'{prefix}processor']}"
    raise AmiError(f"bench report: {file} does not say what machine it is from")


def _filled(row: Row, values: _Values, file: Path) -> Row:
    if not row.template:
        raise AmiError(f"bench report: the row '{row.what}' has no template; give it one in {DATA}")
    try:
        return replace(row, figure=row.template.format_map(values))
    except (KeyError, ValueError, TypeError) as error:
        raise AmiError(f"bench report: {file} does not have what '{row.what}' shows: {error}") from error


def _values(file: Path) -> _Values:
    try:
        values = _Values(_flat(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, AttributeError) as error:
        raise AmiError(f"bench report: {file} cannot be read: {error}") from error
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}_") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _git(repository: Path, *arguments: str) -> str:
    """Raises AmiError: this is no clone, or it lacks a commit (a shallow clone)."""
    command: Sequence[str] = ["git", "-C", str(repository), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AmiError(f"bench report: git {arguments[0]} failed: {done.stderr.strip().splitlines()[0]}")
    return done.stdout
