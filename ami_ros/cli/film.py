"""`ami film`: makes a short film of a recorded drive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    bag: Annotated[Path, typer.Argument(help="Recording of a drive, made by ami record or demo --record.")],
    out: Annotated[Path, typer.Argument(help="GIF file to write.")],
    seconds: Annotated[float, typer.Option(help="Length of the film [s]. The drive is sped up to fit.", min=1)] = 15.0,
    rate: Annotated[float, typer.Option(help="Pictures per second.", min=1, max=25)] = 8.0,
    width: Annotated[int, typer.Option(help="Width of the film [px].", min=200, max=1920)] = 640,
) -> None:
    """Make a GIF of a recorded drive: the growing map, places, plan, camera, and what the robot says."""
    from rich.console import Console

    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.cli.film_run import Film, write_gif
    from ami_ros.core.errors import AmiError

    if out.suffix != ".gif":
        raise AmiError(f"film: {out} must end in .gif")
    if out.exists():
        raise AmiError(f"film: {out} exists already; name another file, or remove it")
    with progress_bar(Console(emoji=False, stderr=True)) as bar:
        task = bar.add_task("drawing", total=None)
        film = Film(bag, max(2, round(seconds * rate)), width)
        write_gif(out, film.pictures(lambda done, total: bar.update(task, completed=done, total=total)), rate)
    typer.echo(f"{out}: {film.count} pictures of {film.duration:.0f} s, {out.stat().st_size / 1e6:.1f} MB")
