"""`ami bench adaptation`: a robot that has changed, without adaptation, with it, and the old robot afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ami_ros.app.bench_planning import loop_config

if TYPE_CHECKING:
    from ami_ros.evaluation.adaptation_bench import AdaptationBench
    from ami_ros.evaluation.planning_bench import Kept

# Figure, what it is, and how it is written.
ROWS = (
    ("rate", "reached in time", "{:.0%}"),
    ("late_rate", "reached, however late", "{:.0%}"),
    ("time_mean_s", "time to the goal, or to giving up, mean", "{:.1f} s"),
    ("way_mean_m", "driven, mean", "{:.2f} m"),
    ("contacts", "contacts", "{:.0f}"),
    ("motion_error_median_m", "expected motion off in 0.6 s, median", "{:.3f} m"),
    ("turn_error_median_rad", "expected turn off in 0.6 s, median", "{:.3f} rad"),
    ("latent_error_mean", "expected latent off, mean square", "{:.3f}"),
)
PHASES = ("dropped", "adapted", "old_setting")


def main(
    world: Annotated[str, typer.Option(help="A name or a file.")] = "home",
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Of the world; else the one beside the model.")] = None,
    changes: Annotated[
        str,
        typer.Option(
            help="With commas between: of the wheels, by 40 %, left-slow, left-fast, slow, fast; of the camera tint."
        ),
    ] = "left-slow,tint",
    goals: Annotated[int, typer.Option(help="In each phase, half of them far.", min=1, max=1000)] = 20,
    minutes: Annotated[float, typer.Option(help="Of driving before adaptation is measured.", min=0.1)] = 5.0,
    seed: Annotated[int, typer.Option(help="Of goals and noise.", min=0)] = 0,
    trials: Annotated[
        Path | None, typer.Option(help="Folder for what happened; a run that was interrupted goes on there.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Change the robot's wheels or its camera, and see what adaptation brings back."""
    import torch
    from rich.console import Console

    from ami_ros.adaptation.weights import AdaptationConfig
    from ami_ros.app.bench import model_and_memory
    from ami_ros.app.train_run import progress_bar
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.adaptation_bench import CHANGES, AdaptationBench, Settings
    from ami_ros.evaluation.planning_bench import Kept
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.robots.derived import simulated_robot
    from ami_ros.simulation.simulator import Simulator
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    wanted = [name.strip() for name in changes.split(",")]
    if unknown := [name for name in wanted if name not in CHANGES]:
        raise AmiError(f"bench adaptation: no change '{unknown[0]}'; known are {', '.join(CHANGES)}")
    folder, file = model_and_memory(model, memory, world)
    loaded = load_model(folder)
    settings = Settings(goals, minutes, seed, AdaptationConfig(colours=True), loop_config([]))
    known = {"world": world, "encoder_id": loaded.encoder_id, "goals": goals, "minutes": minutes}
    kept = Kept(trials, known, "adaptation")
    with progress_bar(Console(emoji=False, stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what.replace("_", " "), total=total)
            bar.update(tasks[what], completed=done)

        robot = Simulator(world, simulated_robot(loaded.model.spec), seed=seed)
        bench = AdaptationBench(loaded, robot, file, settings, report)
        figures = _measure(bench, wanted, kept, seed)
    for change in wanted:
        _print(figures, change)
    if json is not None:
        write_json(json, figures | known | {"changes": changes, "seed": seed} | hardware())


def _measure(bench: AdaptationBench, changes: list[str], kept: Kept, seed: int) -> dict[str, Any]:
    """All figures; what an earlier run kept is not driven again."""
    from collections.abc import Callable

    from ami_ros.evaluation.adaptation_bench import CHANGES, Row, came_back, figures

    def once(part: str, drive: Callable[[], list[Row]]) -> list[Row]:
        rows = kept.load(part, seed)
        if rows is None:
            rows = drive()
            kept.keep(part, seed, rows)
        return rows

    tasks = bench.tasks(once("chosen", bench.choose))
    found: dict[str, Any] = figures(once("before", lambda: bench.drive("before", tasks)), "before")
    for name in changes:
        change = CHANGES[name]
        rows = once(f"{name}-dropped", lambda c=change: bench.drive("dropped", tasks, c))  # type: ignore[misc]
        rows += once(f"{name}-learned", lambda c=change: bench.learn(tasks, c))  # type: ignore[misc]
        for phase in PHASES:
            found |= figures([row for row in rows if row["phase"] == phase], _key(name, phase))
        for key, _, _ in ROWS:
            values = (found[f"{phase}_{key}"] for phase in ("before", _key(name, "dropped"), _key(name, "adapted")))
            found[f"{_key(name, 'came_back')}_{key}_share"] = came_back(*values)
    return found


def _key(change: str, phase: str) -> str:
    return f"{change.replace('-', '_')}_{phase}"


def _print(figures: dict[str, Any], change: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from ami_ros.evaluation.rates import SuccessRate

    columns = (change, "before", "changed", "adapted", "came back", "old setting again")
    table = Table(*columns, box=None, padding=(0, 3, 0, 0))
    for key, what, form in ROWS:
        values = [form.format(figures[f"{name}_{key}"]) for name in ("before", *(_key(change, p) for p in PHASES))]
        share = figures[f"{_key(change, 'came_back')}_{key}_share"]
        table.add_row(what, *values[:3], "" if share is None else f"{share:.0%}", values[3])
    Console(emoji=False).print(table)
    for name in ("before", *(_key(change, phase) for phase in PHASES)):
        parts = (figures[f"{name}_{part}"] for part in ("n", "reached", "rate", "wilson_low", "wilson_high"))
        words = f"{name.replace('_', ' ')}, in time (95 % interval, Wilson): {SuccessRate(*parts)}"
        Console(emoji=False, highlight=False).print(words, soft_wrap=True)
