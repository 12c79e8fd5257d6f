"""`ami bench logs`: what the memory makes of logs of real lasers, without any model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ami_ros.evaluation.log_bench import LogFigures
    from ami_ros.evaluation.rates import SuccessRate


def main(
    folder: Annotated[Path, typer.Argument(help="With CARMEN logs (*.log, *.log.gz) of corrected poses; or one log.")],
    drift: Annotated[
        float,
        typer.Option(
            help="Added to the odometry: standard deviation of errors per metre and radian; half of it in radians per "
            "metre.",
            min=0.0,
            max=0.3,
        ),
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="Of the drift.", min=0)] = 0,
    learned: Annotated[
        bool, typer.Option(help="Compare scans by models/scans, or by the share of points that agree.")
    ] = True,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Build a laser-only memory on each log with drifting odometry, and compare its loop constraints with the log's."""
    import tempfile

    import torch
    from rich.console import Console
    from rich.progress import TaskID

    from ami_ros.app.extract_run import progress_bar
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.log_bench import false_rate, measure, totals
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.learning.carmen import find_logs

    torch.set_num_threads(1)
    console, figures, unread = Console(emoji=False, stderr=True), [], []
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch, progress_bar(console) as bar:
        for number, log in enumerate(find_logs(folder)):
            task, file = bar.add_task(log.name, total=None), Path(scratch) / f"{number}.memory"

            def report(done: int, total: int, task: TaskID = task) -> None:
                bar.update(task, completed=done, total=total)

            try:
                figures.append(measure(log, drift, seed, file, report, learned))
            except AmiError as error:
                bar.remove_task(task)
                unread.append(str(error))
    if not figures:
        raise AmiError(unread[0])
    _print(figures, drift, seed)
    for problem in unread:
        console.print(problem, style="yellow", soft_wrap=True)
    if json is not None:
        together = totals(figures)
        rates: dict[str, object] = {name: rate.to_json() for name, rate in together.items()}
        rates["false_constraints"] = false_rate(together["constraints"]).to_json()
        run: dict[str, object] = {"drift": drift, "seed": seed, "learned": learned, "unread": unread}
        write_json(json, run | {"logs": [f.to_json() for f in figures], "total": rates} | hardware())


def _print(figures: list[LogFigures], drift: float, seed: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from ami_ros.evaluation.log_bench import totals

    names = (
        "log",
        "driven",
        "places",
        "constraints",
        "false",
        "revisits told",
        "other way",
        "odometry",
        "map",
        "a scan",
    )
    table = Table(*names, title=f"drift {drift:g}, seed {seed}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for f in figures:
        table.add_row(
            f.name.removesuffix(".gz").removesuffix(".log"),
            f"{f.driven_m:.0f} m",
            str(f.places),
            str(f.constraints.n),
            str(f.false_constraints),
            _rate(f.revisits),
            _rate(f.opposite),
            f"{f.odometry_ate_m:.2f} m",
            f"{f.map_ate_m:.2f} m",
            f"{f.ms_p50:.0f} ms, p95 {f.ms_p95:.0f} ms",
        )
    all_ = totals(figures)
    loops = all_["constraints"]
    false = f"{loops.n - loops.reached} ({1 - loops.reached / max(1, loops.n):.2%}, below {1 - loops.wilson_low:.2%})"
    rates = _rate(all_["revisits"]), _rate(all_["opposite"])
    table.add_row("all", "", str(sum(f.places for f in figures)), str(loops.n), false, *rates, "", "", "", style="bold")
    Console(emoji=False).print(table)


def _rate(rate: SuccessRate) -> str:
    return "none" if rate.rate is None else f"{rate.reached}/{rate.n} ({rate.rate:.1%})"
