"""`ami bench places`: measures what a memory of places is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# Figure, what it is, how it is written, and the floor it must keep.
ROWS = (
    ("places", "places", "{:.0f}", ""),
    ("edges", "edges", "{:.0f}", ""),
    ("file_mb", "size on disk", "{:.1f} MB", ""),
    ("false_edge_share", "edges that are false (> 1.5 m)", "{:.2%}", "<= 1 %"),
    ("coverage_share", "free space within 0.75 m of a place", "{:.1%}", ">= 95 %"),
    ("map_error_median_m", "map error, median", "{:.2f} m", ""),
    ("map_error_p99_m", "map error, p99", "{:.2f} m", ""),
    ("cold_right_after_3_s_share", "cold start: right after 3 s", "{:.1%}", ">= 95 %"),
    ("cold_right_after_3_s_low_share", "  95 % interval (Wilson) from", "{:.1%}", ""),
    ("cold_found_p50_s", "  right and sure of it, p50", "{:.1f} s", ""),
    ("cold_found_p90_s", "  right and sure of it, p90", "{:.1f} s", ""),
    ("cold_right_when_localised_share", "  right when it says so", "{:.1%}", ""),
    ("cold_calibration_error_share", "  confidence is off by", "{:.1%}", ""),
    ("goal_right_share", "goal picture placed (0.5 m, 0.5 rad)", "{:.1%}", ""),
    ("goal_error_median_m", "  error, median", "{:.2f} m", ""),
    ("kidnap_found_within_10_s_share", "kidnapped: found within 10 s", "{:.1%}", ""),
    ("kidnap_found_p90_s", "  right and sure of it, p90", "{:.1f} s", ""),
    ("kidnap_fooled_mean_s", "  sure of a wrong place, mean", "{:.2f} s", ""),
    ("kidnap_false_edges", "  false edges made by them all", "{:.0f}", ""),
)
LATER = (
    ("drive_right_share", "right while driving on", "{:.1%}", ""),
    ("drive_right_when_localised_share", "  right when it says so", "{:.1%}", ""),
    *((f"later_{name}", f"then {what.strip()}", form, floor) for name, what, form, floor in ROWS[:13]),
)


def main(
    world: Annotated[str, typer.Option(help="To explore: a name or a file.")] = "home",
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    minutes: Annotated[float, typer.Option(help="Of exploration from an empty memory.", min=0.2, max=600.0)] = 15.0,
    starts: Annotated[int, typer.Option(help="From cold, at random poses.", min=1, max=10_000)] = 60,
    goals: Annotated[int, typer.Option(help="Pictures that memory has to place.", min=1, max=10_000)] = 200,
    kidnappings: Annotated[int, typer.Option(help="Of a robot that knows where it is.", min=1, max=10_000)] = 20,
    hours: Annotated[float, typer.Option(help="Drive on for so long, and measure again.", min=0.0, max=48.0)] = 0.0,
    drift: Annotated[float, typer.Option(help="Error of odometry, on top of the usual.", min=-0.3, max=0.3)] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the run; none repeats a recording.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Explore a simulated world from an empty memory, restart from cold, and compare with the truth."""
    import tempfile

    import torch
    from rich.console import Console

    from ami_ros.app.extract_run import progress_bar
    from ami_ros.evaluation.place_bench import PlaceBench, Settings
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.robots.derived import simulated_robot
    from ami_ros.share import share
    from ami_ros.simulation.noise import SensorNoise
    from ami_ros.simulation.simulator import Simulator
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    loaded = load_model(model or share("models", "onboard"))
    robot = simulated_robot(loaded.model.spec)
    settings = Settings(minutes, starts, goals, kidnappings, hours, seed)
    noise = SensorNoise(odometry_error=drift)
    console = Console(emoji=False, stderr=True)
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch, progress_bar(console) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks or bar.tasks[tasks[what]].finished:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        file = Path(scratch) / "places.memory"
        bench = PlaceBench(loaded, lambda run: Simulator(world, robot, seed=run, noise=noise), settings, file, report)
        figures = bench.run()
    _print(figures)
    _print_reliability(bench.curves)
    if json is not None:
        run = {"world": world, "encoder_id": loaded.encoder_id, "minutes": minutes, "hours": hours, "drift": drift}
        write_json(json, figures | _flat(bench.curves) | run | {"seed": seed} | hardware())


def _print(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "floor", box=None, padding=(0, 3, 0, 0))
    for name, what, form, floor in (*ROWS, *LATER):
        if name in figures:
            value = figures[name]
            table.add_row(what, "never" if value is None else form.format(value), floor)
    Console(emoji=False).print(table)


def _flat(curves: dict[str, Any]) -> dict[str, float]:
    """Points of the reliability curves, the surer the higher their number."""
    found: dict[str, float] = {}
    for name, curve in curves.items():
        for number, (said, right, moments) in enumerate(curve):
            point = f"{name}_reliability_{number}"
            found |= {f"{point}_said_share": said, f"{point}_right_share": right, f"{point}_moments": moments}
    return found


def _print_reliability(curves: dict[str, Any]) -> None:
    """What share of the moments is right at which memory says that it is so sure."""
    from rich.console import Console
    from rich.table import Table

    names = {"cold": "switched on", "kidnap": "carried", "drive": "driving on"}
    table = Table("where it is", "sure to", "right", "moments", box=None, padding=(0, 3, 0, 0))
    for name, curve in curves.items():
        for said, right, moments in curve:
            table.add_row(names[name], f"{said:.0%}", f"{right:.0%}", str(moments))
    Console(emoji=False).print(table)
