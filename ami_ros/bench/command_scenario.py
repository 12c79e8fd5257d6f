"""`ami bench SCENARIO`: drives a scenario, keeps its trials, and prints its figures."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ami_ros.bench.scenario import Figure, Scenario, TrialStore


Key = tuple[str, int]  # part and seed


def main(
    scenario: Annotated[str, typer.Argument(help="A file, or the name of one in scenarios/.")],
    recordings: Annotated[
        list[str] | None, typer.Argument(help="Of kinds that measure recordings: the file, or folders.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: seed, seeds, an option of its kind, or agent... of the stack."),
    ] = None,
    options: Annotated[bool, typer.Option("--options", help="Say what it is, and list its options.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the trials; a run that was interrupted goes on there.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes side by side, one thread each.", min=1, max=256)] = 1,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Run a scenario. docs/figures.md explains its file. Each trial is a line in a file below --out.

    Any --KEY VALUE stands for --set KEY=VALUE, as in ./ami bench people --speed 1.0 --goals 4."""
    from rich.console import Console

    from ami_ros.bench.report import figures_by_arm, write_json
    from ami_ros.bench.scenario import TrialStore, load_scenario

    console = Console(emoji=False, highlight=False)
    loaded = load_scenario(scenario, [*(set_ or []), *of_recordings(scenario, recordings or [])])
    if options:
        explain(loaded, console)
        return
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
        store = TrialStore(out or Path(scratch), loaded)
        drive(store, jobs, console)
        figures = loaded.figures(store.rows())
        show(store, figures, console)
        if json is not None:
            found = [figure.to_json() for figure in figures]
            seeds = {"seed": loaded.seed, "seeds": loaded.seeds}
            write_json(json, figures_by_arm(store.rows()) | {"figures": found} | loaded.settings | seeds | store.head())


def of_recordings(scenario: str, recordings: list[str]) -> list[str]:
    """The setting that says so. Raises AmiError: this kind measures no recordings, or takes one only."""
    from json import dumps

    from ami_ros.bench.scenario import load_scenario
    from ami_ros.core.errors import AmiError

    if not recordings:
        return []
    kind = load_scenario(scenario).made()
    if hasattr(kind, "folders"):
        return [f"folders={dumps(recordings)}"]
    if not hasattr(kind, "folder"):
        raise AmiError(f"bench {scenario}: it measures no recordings, so '{recordings[0]}' means nothing to it")
    if len(recordings) > 1:
        raise AmiError(f"bench {scenario}: it takes one file or folder, not {len(recordings)}")
    return [f"folder={dumps(recordings[0])}"]


def explain(scenario: Scenario, console: Console) -> None:
    """Prints what a scenario is about, and its options."""
    from ami_ros.core.config import field_comments, to_mapping

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    say(f"{scenario.name}: {scenario.about}\n")
    comments = field_comments(type(scenario.made()))
    for name, value in to_mapping(scenario.made()).items():
        say(f"  --{name.replace('_', '-')} {value!r}  {comments[name]}")
    say(f"\n  --seed {scenario.seed}  of the first drive")
    say(f"  --seeds {scenario.seeds}  how many seeds, one after another")
    say("  --json FILE, --out FOLDER, --jobs N, --set KEY=VALUE: see ./ami bench scenario --help")


def drive(store: TrialStore, processes: int, console: Console) -> None:
    """Drives what is missing, a line for each part that is done.

    Raises:
        AmiError: as the kind of scenario, or a process was killed.
    """
    from ami_ros.core.processes import worker_pool

    keys, missing = store.keys, store.missing()
    if len(missing) < len(keys):
        console.print(f"{len(keys) - len(missing)} of {len(keys)} parts are there already", soft_wrap=True)
    if not missing:
        return
    with multiprocessing.get_context("spawn").Manager() as manager, console.status("") as status:
        telling = manager.dict()
        with worker_pool(min(processes, len(missing)), telling=telling) as pool:
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
    from ami_ros.core import processes as workers

    part, seed = key

    def report(what: str) -> None:
        workers.links["telling"][f"{part} {seed}"] = what

    before = store.load(after, seed) if after else None
    return sum(1 for _ in store.keep(part, seed, store.scenario.made().run(part, seed, before or [], report)))


def show(store: TrialStore, figures: list[Figure], console: Console) -> None:
    """Prints the figures."""
    from rich.table import Table

    scenario = store.scenario
    seeds = (
        f"seed {scenario.seed}"
        if scenario.seeds == 1
        else f"seeds {scenario.seed} to {scenario.seed + scenario.seeds - 1}"
    )
    table = Table(title=f"{scenario.about}; {seeds}, {store.at}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("", "figure", "n", "floor"):
        table.add_column(column, justify="right" if column == "n" else "left")
    for figure in figures:
        floor = figure.measure.floor
        table.add_row(figure.name, str(figure), str(figure.n), "" if floor is None else f"{floor:.0%}")
    console.print(table)
