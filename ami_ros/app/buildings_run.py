"""One run of `ami bench buildings`: buildings side by side in processes, the figures so far, and the table."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ami_ros.app import workers
from ami_ros.errors import AmiError
from ami_ros.evaluation.building_figures import NEAR_FAR, figures_of
from ami_ros.evaluation.building_trials import COURSE, METHODS, BuildingSetting, Row, drive_building
from ami_ros.evaluation.planning_bench import Kept
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.robots.derived import LASER
from ami_ros.robots.description import DEFAULT, load_robot
from ami_ros.share import share
from ami_ros.simulation.buildings.names import FIRST_TEST_SEED, NAMED_KINDS, PREFIX, building_name
from ami_ros.world_model.checkpoint import load_model

A_SEED = 1000  # buildings that belong to one --seed


def general_model(model: Path | None, robot: str) -> Path:
    """The folder of the model that was named, else of the general one, or of its likeness without a camera."""
    if model is not None:
        return model
    blind = load_robot(robot or DEFAULT).camera is None
    return share("models", LASER if blind else "general")


def chosen_methods(named: str) -> tuple[str, ...]:
    """Arms by their names with commas between, the first one always; none: all. Raises AmiError for an unknown one."""
    wanted = [name.strip() for name in named.split(",") if name.strip()]
    for name in wanted:
        if name not in METHODS:
            raise AmiError(f"bench buildings: there is no method '{name}'; there are {', '.join(METHODS)}")
    return tuple(method for method in METHODS if not wanted or method in wanted or method == COURSE)


class BuildingsRun:
    """Drives the buildings that are missing; figures are written anew after each.

    Args:
        setting: what is done in each.
        count: of buildings.
        kind: of them; empty: all kinds, as their seeds draw them.
        options: of the configuration, for the record.
        trials: folder that keeps what happened; None: nothing is kept.
        json: file for the figures.
        visit: what comes after the names of buildings, see `simulation.visit`.

    Raises:
        AmiError: an unknown kind, a model that cannot be read, or `trials` holds a run with other settings.
    """

    def __init__(
        self, setting: BuildingSetting, count: int, kind: str, options: Sequence[str], trials: Path | None,
        json: Path | None, visit: str = "",
    ) -> None:  # fmt: skip
        if kind and kind not in NAMED_KINDS:
            raise AmiError(f"bench buildings: there is no kind '{kind}'; there are {', '.join(NAMED_KINDS)}")
        self.setting, self.json = setting, json
        first = FIRST_TEST_SEED + A_SEED * setting.seed
        prefix = f"{PREFIX}{kind}:" if kind else PREFIX
        self.names = [f"{building_name(f'{prefix}{first + number}')}{visit}" for number in range(count)]
        self.settings: dict[str, Any] = {
            "encoder_id": load_model(setting.model).encoder_id, "goals": setting.goals, "foreign": setting.foreign,
            "explore_min": setting.explore, "seed": setting.seed, "robot": setting.robot,
            "methods": ", ".join(setting.methods), "set": " ".join(options),
            "visit": visit,
        }  # fmt: skip
        self.kept = Kept(trials, self.settings, "buildings")
        self.rows = {name: found for name in self.names if (found := self.kept.load(*_key(name))) is not None}

    def drive(self, processes: int, console: Console) -> None:
        """Drives what is missing; a line for each building that is done. Raises AmiError if a process was killed."""
        missing = [name for name in self.names if name not in self.rows]
        if len(missing) < len(self.names):
            console.print(f"{len(self.rows)} of {len(self.names)} buildings are there already", soft_wrap=True)
        context = multiprocessing.get_context("spawn")  # a process that inherits a rendering context cannot render
        manager = context.Manager()
        telling, stop = manager.dict(), context.Event()
        executor = ProcessPoolExecutor(
            max(1, min(processes, len(missing))), context, workers.start, ({"telling": telling, "stop": stop},)
        )
        running = {executor.submit(_drive, self.setting, name): name for name in missing}
        try:
            with console.status("") as status:
                self._watch(running, telling, status, console)
        except BrokenProcessPool:
            raise AmiError("bench buildings: a worker was killed (out of memory?); try fewer --jobs") from None
        except BaseException:
            stop.set()
            raise
        finally:
            executor.shutdown(cancel_futures=True)
            manager.shutdown()
        self.write()

    def _watch(self, running: dict[Future[list[Row]], str], telling: Any, status: Any, console: Console) -> None:
        while running:
            ended, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            done = f"{len(self.rows)} of {len(self.names)}"
            status.update("; ".join([done, *(f"{name}: {what}" for name, what in telling.items())]))
            for future in ended:
                name = running.pop(future)
                self.rows[name] = future.result()
                telling.pop(name, None)
                self.kept.keep(*_key(name), self.rows[name])
                self.write()
                _tell(name, self.rows[name], console)

    def rows_of(self, method: str, kind: str = "") -> list[Row]:
        """What a method did so far, in all buildings or in those of a kind."""
        names = [name for name in self.rows if not kind or building_name(name).kind == kind]
        return [row for name in names for row in self.rows[name] if row["method"] == method]

    def write(self) -> None:
        """Writes the figures so far."""
        if self.json is None:
            return
        figures: dict[str, Any] = {"buildings": len(self.names), "unfinished": len(self.names) - len(self.rows)}
        kinds = sorted({building_name(name).kind for name in self.rows})
        for method in self.setting.methods:
            by_kind = {kind: figures_of(self.rows_of(method, kind)) for kind in kinds}
            figures[method] = figures_of(self.rows_of(method)) | {"kinds": by_kind}
        write_json(self.json, figures | self.settings | {"charged": self.setting.loop.charged} | hardware())

    def show(self, console: Console) -> None:
        """Prints a row for each method, and for each kind of building."""
        title = f"{len(self.rows)} buildings, {self.setting.explore:g} min of exploring; {self.setting.loop.charged}"
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
        for column in ("", "near", "far", "false", "refused", "alike", "SPL", "hits", "seen"):
            table.add_column(column, no_wrap=True)
        kinds = sorted({building_name(name).kind for name in self.rows})
        for method in self.setting.methods:
            for kind in ("", *kinds) if method == COURSE else ("",):
                table.add_row(
                    f"{method} {kind}".strip().replace("_", " "), *_cells(figures_of(self.rows_of(method, kind)))
                )
        console.print(table)
        console.print(
            "false: wrong claims; refused: pictures of other buildings; alike: goals whose picture fits elsewhere too",
            soft_wrap=True,
        )


def _cells(f: dict[str, Any]) -> list[str]:
    rates = [f"{f[kind]['reached']}/{f[kind]['n']}" for kind in NEAR_FAR]
    false, foreign, ambiguous = f["false_success"], f["foreign"], f["ambiguous"]
    seen = "" if f["explored_share"] is None else f"{f['explored_share']:.0%}"
    return [
        *rates, f"{false['n']}/{false['claims']}", f"{foreign['refused']}/{foreign['n']}",
        f"{ambiguous['reached']}/{ambiguous['n']}, {ambiguous['claimed_wrong']} wrong",
        "" if f["spl"] is None else f"{f['spl']:.2f}", str(f["collisions"]), seen,
    ]  # fmt: skip


def _tell(name: str, rows: list[Row], console: Console) -> None:
    own = figures_of([row for row in rows if row["method"] == COURSE])
    near, far = (f"{kind} {own[kind]['reached']}/{own[kind]['n']}" for kind in NEAR_FAR)
    false = f"{own['false_success']['n']} of {own['false_success']['claims']} claims false"
    console.print(f"{name}: {near}, {far}, {false}, {own['explored_share']:.0%} explored", soft_wrap=True)


def _key(name: str) -> tuple[str, int]:
    """Under which a building is kept."""
    building = building_name(name)
    return building.kind, building.seed


def _drive(setting: BuildingSetting, name: str) -> list[Row]:
    def report(what: str) -> None:
        workers.links["telling"][name] = what

    own = replace(setting, seed=building_name(name).seed)
    return list(drive_building(name, own, report))
