"""The figures of a release: all scenarios of one frozen commit, their trials in one file, and the page drawn from it.

`scenarios/release.list` names the version, its commit and the scenarios. They are driven in a work tree of that commit,
so the branch may go on meanwhile. The trials go into one compressed file that is committed, and a run on another
machine or another day goes on from it.
"""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ami_ros.bench.report import table
from ami_ros.bench.scenario import Figure, Row, Scenario, TrialStore, git, load_scenario
from ami_ros.core.config import from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import importing, share

if TYPE_CHECKING:
    from rich.console import Console

REPOSITORY = Path(__file__).resolve().parents[2]
TRIALS = REPOSITORY / "docs" / "figures" / "release.jsonl.xz"
PAGE, CHART = REPOSITORY / "docs" / "figures.md", REPOSITORY / "docs" / "figures" / "release.png"
INTRODUCTION = """# Figures

Version {version}, commit {commit}. `./ami bench release --out FOLDER` measures a version and writes this page. It can
be interrupted at any time, and goes on where it was. It works in a copy of the commit, so the branch may go on
meanwhile.

Reached means: the robot claims success, stands still, and the simulator knows it to be within 0.30 m and 30 degrees of
where the picture was taken, in time. Intervals are Wilson's, 95 %; of zero the upper bound is given, rounded up. Nobody
looked at the seeds before, and none is chosen afterwards. Rates of fewer than 100 trials are marked *few*.

What a scenario drives and measures stands in its file in the folder `scenarios`. `./ami bench NAME` drives one of them,
`--set` changes it, and `--out` keeps its trials as JSON lines. A scenario of your own: `./ami bench FILE.yaml`. The
trials of this page lie in `docs/figures/release.jsonl.xz`.

![Rates with their intervals](figures/release.png)
"""


@dataclass(frozen=True)
class Release:
    """What `scenarios/release.list` says."""

    version: str
    commit: str  # that is measured; empty: none is frozen yet
    scenarios: tuple[str, ...]  # rows of the page, in their order

    def __post_init__(self) -> None:
        if not 0 < len(self.scenarios) <= 15:
            raise ValueError("name 1 to 15 scenarios")

    def loaded(self, logs: str = "") -> list[Scenario]:
        """The scenarios; that of logs with their folder, of which the repository has none."""
        return [load_scenario(name, [f"folder={logs}"] if name == "logs" and logs else []) for name in self.scenarios]


def load_release() -> Release:
    """Raises AmiError: the list cannot be read, or says too little or too much."""
    try:
        values = parse_yaml(share("scenarios", "release.list").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise AmiError(f"bench release: the list of scenarios cannot be read: {error}") from error
    found: Release = from_mapping(Release, values, "scenarios/release.list")
    return found


def measure(out: Path, jobs: int, logs: str, only: Sequence[str], console: Console) -> None:
    """Drives what is missing, and writes trials, page and chart after each scenario.

    Raises:
        AmiError: no commit is frozen, it is not in this repository, or a scenario is unknown.
    """
    release = load_release()
    if unknown := set(only) - set(release.scenarios):
        raise AmiError(f"bench release: {unknown.pop()} is not in scenarios/release.list")
    at = git("rev-parse", "--short", f"{release.commit}^{{commit}}") if release.commit else None
    if at is None:
        raise AmiError("bench release: no commit is frozen; write one of this repository into scenarios/release.list")
    restore(TRIALS, out, at)
    tree = out.resolve() / "tree"
    if not tree.is_dir() and git("worktree", "add", "--detach", str(tree), at) is None:
        raise AmiError(f"bench release: git cannot check out {at} in {tree}; choose another --out")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")])}
    for scenario in release.loaded(logs):
        if only and scenario.name not in only:
            continue
        console.print(f"{scenario.name}: {scenario.about}", soft_wrap=True)
        recordings = [logs] if scenario.name == "logs" and logs else []
        arguments = ["bench", scenario.name, *recordings, "--out", str(out.resolve()), "--jobs", str(jobs)]
        done = subprocess.run([sys.executable, "-m", "ami_ros.cli", *arguments], cwd=tree, env=environment, check=False)
        keep(TRIALS, out, at, release.loaded(logs))
        write_page(release)
        if done.returncode:  # it has said why; the others go on
            console.print(f"{scenario.name}: not measured", style="yellow")


def keep(file: Path, folder: Path, at: str, scenarios: Iterable[Scenario]) -> None:
    """Puts the trials of a commit into one file: of each row what the measures of its scenario read.

    Raises:
        AmiError: they take more than 2 MB.
    """
    lines = []
    for scenario in scenarios:
        read = {key for m in scenario.measures for key in (m.value, m.of, m.by, *m.where)} | {"part", "seed"}
        try:
            store = TrialStore(folder, scenario, at)
            parts = [(key, rows) for key in store.keys if (rows := store.load(*key)) is not None]
        except AmiError:  # it does not say which recordings it is of: what was kept before stays
            lines += [json.dumps(line) for line in kept(file) if line["scenario"] == scenario.name]
            continue
        for (part, seed), rows in parts:
            head = {"scenario": scenario.name, "part": part, "seed": seed, "of": len(store.keys), "at": at}
            own = [{key: value for key, value in row.items() if key in read} for row in rows]
            lines.append(json.dumps(head | {"head": store.head(), "rows": own}))
    packed = lzma.compress("".join(f"{line}\n" for line in lines).encode(), preset=9)
    if len(packed) > 2_000_000:
        raise AmiError(f"bench release: the trials take {len(packed) / 1e6:.1f} MB, more than the 2 MB of {file.name}")
    file.write_bytes(packed)


def kept(file: Path) -> list[dict[str, Any]]:
    """The parts in a file of trials; none where there is no file."""
    if not file.is_file():
        return []
    try:
        return [json.loads(line) for line in lzma.decompress(file.read_bytes()).decode().splitlines()]
    except (lzma.LZMAError, ValueError) as error:
        raise AmiError(f"bench release: {file} cannot be read ({error}); check it out again") from error


def restore(file: Path, folder: Path, at: str) -> None:
    """Writes the parts of a commit that the folder lacks, so that a run goes on from them."""
    for line in kept(file):
        if line["at"] != at:
            continue
        scenario = load_scenario(line["scenario"])
        store = TrialStore(folder, scenario, at)
        target = store.file(line["part"], line["seed"])
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            rows = [line["head"], *line["rows"], {"end": True}]
            target.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def write_page(release: Release) -> None:
    """docs/figures.md and its chart, from the trials that are kept."""
    measured = figures(release, kept(TRIALS))
    PAGE.write_text(page(release, measured), encoding="utf-8")
    with importing("report"):
        chart([f for _, _, found in measured for f in found if f.rate is not None and f.rate.n], CHART)


def figures(release: Release, parts: Sequence[dict[str, Any]]) -> list[tuple[Scenario, dict[str, Any], list[Figure]]]:
    """Each scenario that was measured in whole, when and where it was, and its headlines."""
    found = []
    for scenario in release.loaded():
        own = [line for line in parts if line["scenario"] == scenario.name]
        if own and len(own) == own[0]["of"]:
            rows: list[Row] = [row for line in own for row in line["rows"]]
            headlines = [figure for figure in scenario.figures(rows) if figure.measure.headline]
            found.append((scenario, max((line["head"] for line in own), key=lambda head: str(head["date"])), headlines))
    return found


def page(release: Release, measured: Sequence[tuple[Scenario, dict[str, Any], list[Figure]]]) -> str:
    """The page; a scenario that is not measured in whole has no row."""
    rows = []
    for scenario, head, found in measured:
        words = "; ".join(f"{f.name}: {f}{' *few*' if f.rate and f.n < 100 else ''}" for f in found)
        when = f"{str(head['date'])[:10]}, {head['cores']} cores of {head['processor']}"
        rows.append((scenario.about, words, f"`./ami bench {scenario.name}`", when))
    introduction = INTRODUCTION.format(version=release.version, commit=release.commit[:8])
    return f"{introduction}\n{table(('what', 'figure', 'command', 'measured'), rows)}\n"


def chart(rates: Sequence[Figure], file: Path) -> None:
    """Draws rates with their Wilson intervals, one below the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(9, 1 + 0.26 * len(rates)), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    for y, figure in enumerate(rates):
        assert figure.rate is not None and figure.rate.rate is not None
        low, high = 100 * figure.rate.wilson_low, 100 * figure.rate.wilson_high
        axes.plot([low, high], [y, y], color="tab:blue", linewidth=4, alpha=0.4)
        axes.plot(100 * figure.rate.rate, y, "o", color="tab:blue")
    axes.set_yticks(range(len(rates)), [f"{figure.name} (n = {figure.n})" for figure in rates], fontsize=8)
    axes.set(xlim=(0, 100), xlabel="%", ylim=(len(rates) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.3)
    drawing.savefig(file, dpi=110)
