"""Drives scenarios, part by part in processes side by side, and shows their figures."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from ami_ros.bench.scenario import Figure, Scenario, TrialStore, load_scenario
from ami_ros.core import processes
from ami_ros.core.config import field_comments, to_mapping
from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from rich.console import Console

Key = tuple[str, int]  # part and seed


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
