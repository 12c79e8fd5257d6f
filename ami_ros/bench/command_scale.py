"""`ami bench scale`: what a map costs as it grows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ami_ros.bench.scale import ScaleFigures


def main(
    places: Annotated[int, typer.Option(help="Of the largest map.", min=100, max=1_000_000)] = 10_000,
    driven: Annotated[
        int, typer.Option(help="Places that are driven; larger maps are copies of these.", min=100)
    ] = 1000,
    scans: Annotated[int, typer.Option(help="That are timed in each map.", min=10)] = 600,
    area: Annotated[
        float, typer.Option(help="Of the map in which it chooses where to explore [m²].", min=20.0)
    ] = 2000.0,
    seed: Annotated[int, typer.Option(help="Of buildings, drive, wheels and questions.", min=0)] = 0,
    scratch: Annotated[Path | None, typer.Option(help="Folder on the disk to measure; else one of temp files.")] = None,
    chart: Annotated[Path | None, typer.Option(help="PNG of time and memory over places.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Drive through large buildings with a laser-only memory, and time its parts."""
    import tempfile
    from dataclasses import asdict, replace

    from rich.console import Console

    from ami_ros.bench.report import hardware, write_json
    from ami_ros.bench.scale import Drive, Session, choices, lay_out, measure, opened
    from ami_ros.simulation.corridors import Site

    console, driven = Console(emoji=False), min(driven, places)
    sizes = [driven]
    while sizes[-1] < places:
        sizes.append(min(10 * sizes[-1], places))
    rows: list[ScaleFigures] = []
    with tempfile.TemporaryDirectory(prefix="ami_bench_", dir=scratch) as name, console.status("drawing") as status:
        session = Session(Drive.drawn(seed, Site(seed), 6 * driven + len(sizes) * scans), Path(name) / "site.memory")
        try:
            for size in sizes:
                while len(session.memory) < min(size, driven) or not session.memory.front_end.here:
                    session.step()
                    status.update(f"driving: {len(session.memory)} of {driven} places")
                status.update(f"{size} places: {scans} scans and some questions")
                lay_out(session.memory, size)
                row, copy = measure(session, scans), Path(name) / "copy.memory"
                session.memory.save(copy, overwrite=True)
                start, rss = opened(copy)
                rows.append(replace(row, start_s=round(start, 2), rss_mb=round(rss, 1)))
                console.print(_line(rows[-1]))
        finally:
            session.memory.close()
        choice = choices(Drive.drawn(seed, Site(seed), round(3 * area)), area, status.update)
    console.print(_table(rows))
    console.print(
        f"choosing where to explore in {area:.0f} m²: {choice.p50:.0f}, {choice.p95:.0f}, {choice.max:.0f} ms"
        f" (p50, p95, max; of CPU time {choice.cpu_p50:.0f}, {choice.cpu_p95:.0f}, {choice.cpu_max:.0f})"
    )
    if chart is not None:
        _draw(chart, rows)
        console.print(f"the chart is {chart}")
    if json is not None:
        sizes_found = [row.to_json() for row in rows]
        found = {"seed": seed, "driven": driven, "sizes": sizes_found, "area_m2": area, "choice_ms": asdict(choice)}
        write_json(json, {**found, "hardware": hardware()})


def _line(row: ScaleFigures) -> str:
    return f"{row.places} places: a scan {row.scan.p50:.0f}, {row.scan.p95:.0f}, {row.scan.max:.0f} ms (p50, p95, max)"


def _table(rows: list[ScaleFigures]) -> Table:
    from rich.table import Table

    columns = [row.to_json() for row in rows]
    table = Table("places", *(str(column.pop("places")) for column in columns), box=None, padding=(0, 3, 0, 0))
    for key in columns[0]:
        table.add_row(key.replace("_", " "), *(f"{column[key]}" for column in columns))
    return table


def _draw(path: Path, rows: list[ScaleFigures]) -> None:
    """Time and memory over places."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ami_ros.world_model.model_files import write_atomically

    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    time, space = figure.subplots(1, 2, width_ratios=[3, 2])
    places = [row.places for row in rows]
    for label, values in (
        ("a scan, p95", [row.scan.p95 for row in rows]),
        ("a scan, longest", [row.scan.max for row in rows]),
        ("loop search, p95", [row.loop_search.p95 for row in rows]),
        ("the whole graph solved", [row.optimise.p50 for row in rows]),
        ("a route, p95", [row.route.p95 for row in rows]),
        ("a view to look from, p95", [row.view.p95 for row in rows]),
        ("a frontier, p95", [row.frontier.p95 for row in rows]),
        ("places by a latent, p95", [row.recall.p95 for row in rows]),
    ):
        time.plot(places, values, marker="o", label=label)
    time.set(xscale="log", yscale="log", xlabel="places", ylabel="ms")
    time.legend(frameon=False, fontsize=7, ncols=2)
    space.plot(places, [row.rss_mb for row in rows], marker="o", label="the process")
    space.plot(places, [row.file_mb for row in rows], marker="o", label="the file")
    space.set(xscale="log", xlabel="places", ylabel="MB", ylim=(0, None))
    space.legend(frameon=False, fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, picture.getvalue())
