"""Drives scenarios, part by part in processes side by side, shows their figures, and writes the page of figures."""

from __future__ import annotations

import json
import multiprocessing
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ami_ros.bench import scenario as scenarios
from ami_ros.bench.scenario import Figure, Scenario, TrialStore, load_scenario
from ami_ros.core import processes
from ami_ros.core.config import field_comments, parse_yaml, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share

if TYPE_CHECKING:
    from rich.console import Console

Key = tuple[str, int]  # part and seed
MOST = 15  # rows of the page
HEADER = ("what", "figure", "command", "measured")
INTRODUCTION = """# Figures

`./ami bench release --out FOLDER` drives the scenarios below, one after the other, and writes this page. It can be
interrupted, goes on where it was, and takes trials that other machines have put into the folder. Each row comes from
one commit; "commits ago" says how many have followed it when the page was written. A row that the folder has no trials
of stays as it was measured, until its scenario changes.

Reached means: the robot claims success, stands still, and the simulator knows it to be within 0.30 m and 30 degrees of
where the picture was taken, in time. Intervals are Wilson's, 95 %; of zero the upper bound is given, rounded up. Nobody
looked at the seeds before, and none is chosen afterwards. Rates of fewer than 100 trials are marked *few*.

What a scenario drives and measures stands in its file in the folder `scenarios`. `./ami bench NAME` drives one of them,
`--set` changes it, and `--out` keeps its trials as JSON lines. A scenario of your own: `./ami bench FILE.yaml`.
"""


def of_recordings(scenario: str, recordings: Sequence[str]) -> list[str]:
    """The setting that says so. Raises AmiError: this kind measures no recordings, or takes one only."""
    if not recordings:
        return []
    kind = load_scenario(scenario).made()
    if hasattr(kind, "folders"):
        return [f"folders={json.dumps(recordings)}"]
    if not hasattr(kind, "folder"):
        raise AmiError(f"bench {scenario}: it measures no recordings, so '{recordings[0]}' means nothing to it")
    if len(recordings) > 1:
        raise AmiError(f"bench {scenario}: it takes one file or folder, not {len(recordings)}")
    return [f"folder={json.dumps(recordings[0])}"]


def explain(scenario: Scenario) -> str:
    """What a scenario is about, and its options."""
    comments = field_comments(type(scenario.made()))
    options = [
        f"  --{name.replace('_', '-')} {value!r}  {comments[name]}"
        for name, value in to_mapping(scenario.made()).items()
    ]
    return "\n".join(
        [
            f"{scenario.name}: {scenario.about}\n",
            *options,
            f"\n  --seed {scenario.seed}  of the first drive",
            f"  --seeds {scenario.seeds}  how many seeds, one after another",
            "  --json FILE, --out FOLDER, --jobs N, --set KEY=VALUE: see ./ami bench scenario --help",
        ]
    )


def drive(store: TrialStore, jobs: int, console: Console) -> None:
    """Drives what is missing, a line for each part that is done.

    Raises:
        AmiError: as the kind of scenario, or a process was killed.
    """
    keys, missing = store.keys, store.missing()
    if len(missing) < len(keys):
        console.print(f"{len(keys) - len(missing)} of {len(keys)} parts are there already", soft_wrap=True)
    if not missing:
        return
    with multiprocessing.get_context("spawn").Manager() as manager, console.status("") as status:
        telling = manager.dict()
        with processes.worker_pool(min(jobs, len(missing)), telling=telling) as pool:
            _watch(store, missing, pool, telling, status, console)


def _watch(
    store: TrialStore, waiting: list[Key], executor: ProcessPoolExecutor, telling: Any, status: Any, console: Console
) -> None:
    after = {part.name: part.after for part in store.scenario.made().parts()}
    running: dict[Future[int], Key] = {}
    total, began = len(waiting), time.monotonic()
    while waiting or running:
        for key in list(waiting):
            part, seed = key
            if not after[part] or store.load(after[part], seed) is not None:
                waiting.remove(key)
                running[executor.submit(_run, store, key, after[part])] = key
        ended, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
        words = [f"{name}: {what}" for name, what in telling.items()]
        status.update("; ".join([f"{total - len(waiting) - len(running)} of {total} parts", *words])[:200])
        for future in ended:
            part, seed = running.pop(future)
            telling.pop(f"{part} {seed}", None)
            minutes = (time.monotonic() - began) / 60
            console.print(f"{part}, seed {seed}: {future.result()} rows, {minutes:.1f} min", soft_wrap=True)


def _run(store: TrialStore, key: Key, after: str) -> int:
    """Drives a part in a process of its own; returns how many rows came of it."""
    part, seed = key

    def report(what: str) -> None:
        processes.links["telling"][f"{part} {seed}"] = what

    before = store.load(after, seed) if after else None
    return sum(1 for _ in store.keep(part, seed, store.scenario.made().run(part, seed, before or [], report)))


def show(store: TrialStore, figures: list[Figure], console: Console) -> None:
    """Prints the figures."""
    from rich.table import Table

    scenario, last = store.scenario, store.scenario.seed + store.scenario.seeds - 1
    seeds = f"seed {last}" if scenario.seeds == 1 else f"seeds {scenario.seed} to {last}"
    table = Table(title=f"{scenario.about}; {seeds}, {store.at}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("", "figure", "n", "floor"):
        table.add_column(column, justify="right" if column == "n" else "left")
    for figure in figures:
        floor = figure.measure.floor
        table.add_row(figure.name, str(figure), str(figure.n), "" if floor is None else f"{floor:.0%}")
    console.print(table)


def release(out: Path, jobs: int, logs: str, only: Sequence[str], page_only: bool, console: Console) -> None:
    """Drives all that docs/figures.md shows, at the checked-out commit, and writes that page; see `command.release`."""
    wanted = released(logs)
    if unknown := set(only) - {scenario.name for scenario in wanted}:
        raise AmiError(f"bench release: {unknown.pop()} is not in scenarios/release.yaml")
    file = Path(__file__).resolve().parents[2] / "docs" / "figures.md"
    for scenario in wanted:
        if page_only or (only and scenario.name not in only):
            continue
        store = TrialStore(out, scenario)
        if store.at.endswith("-changed"):
            raise AmiError("bench release: the code has changes that are not committed; figures belong to a commit")
        console.print(f"{scenario.name}: {scenario.about}", soft_wrap=True)
        try:
            drive(store, jobs, console)
        except AmiError as error:  # of one scenario: the others go on
            console.print(f"{scenario.name}: {error}", style="yellow", soft_wrap=True)
            continue
        show(store, scenario.figures(store.rows()), console)
        file.write_text(page(wanted, out, file.read_text(encoding="utf-8")), encoding="utf-8")
    file.write_text(page(wanted, out, file.read_text(encoding="utf-8")), encoding="utf-8")
    console.print("docs/figures.md is written", soft_wrap=True)


def released(logs: str = "") -> list[Scenario]:
    """The scenarios of the page, that of logs with their folder, of which the repository has none. Raises AmiError: the
    list or one of them cannot be read, or it is too long."""
    try:
        names = parse_yaml(share("scenarios", "release.list").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise AmiError(f"bench release: the list of scenarios cannot be read: {error}") from error
    if not isinstance(names, list) or not 0 < len(names) <= MOST:
        raise AmiError(f"bench release: the list has to name 1 to {MOST} scenarios")
    return [load_scenario(str(name), [f"folder={logs}"] if name == "logs" and logs else []) for name in names]


def page(wanted: Sequence[Scenario], folder: Path, before: str = "") -> str:
    """docs/figures.md: of each scenario the newest commit at which it was measured in whole, by the trials in `folder`,
    else by the page `before`."""
    rows: list[Sequence[str]] = []
    for scenario in wanted:
        store, command = newest(scenario, folder), f"`./ami bench {scenario.name}`"
        if store is None:
            rows.append(kept(scenario, before) or (scenario.about, "not measured yet", command, ""))
            continue
        figures = [f for f in scenario.figures(store.rows()) if f.measure.headline]
        words = "; ".join(f"{f.name}: {f}{' *few*' if f.rate and f.n < 100 else ''}" for f in figures)
        head = store.head()
        machine = f"{head['cores']} cores of {head['processor']}"
        rows.append((scenario.about, words, command, f"{_dated(store.at)}, {str(head['date'])[:10]}, {machine}"))
    return f"{INTRODUCTION}\n{table(HEADER, rows)}\n"


def kept(scenario: Scenario, page: str) -> Sequence[str] | None:
    """The row of a scenario on a page of before, with how old it is now; None: it has none, or the scenario has changed
    since."""
    for line in page.splitlines():
        cells = [cell.replace("\\|", "|").replace("\\<", "<") for cell in re.split(r" (?<!\\)\| ", line[2:-2])]
        if len(cells) == len(HEADER) and cells[2] == f"`./ami bench {scenario.name}`" and cells[3]:
            at, when = re.split(r", (?=\d{4}-)", cells[3], maxsplit=1)
            at = at.partition(",")[0]
            if scenarios.git("diff", "--name-only", at, "HEAD", "--", f"scenarios/{scenario.name}.yaml") == "":
                return (*cells[:3], f"{_dated(at)}, {when}")
    return None


def newest(scenario: Scenario, folder: Path) -> TrialStore | None:
    """The trials at the newest commit that has all of them; None: there is none, or it is not said what they are of."""
    try:
        scenario.made().parts()
    except AmiError:
        return None
    stores = [TrialStore(folder, scenario, at.name) for at in (folder / scenario.name).glob("*") if at.is_dir()]
    whole = [store for store in stores if not store.at.endswith("-changed") and not store.missing()]
    return max(whole, key=lambda store: str(store.head()["date"]), default=None)


def _dated(at: str) -> str:
    """A commit, and how old it is."""
    ago = scenarios.git("rev-list", "--count", f"{at}..HEAD")
    return at if ago is None else f"{at}, this commit" if ago == "0" else f"{at}, {ago} commits ago"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell or begin a tag is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|").replace("<", "\\<") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)
