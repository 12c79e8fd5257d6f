"""`ami map`: what a memory knows of the floor, as others have maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ami_ros.errors import AmiError


def export_map(
    memory: Annotated[Path, typer.Argument(help="Memory file; it stays as it is.")],
    out: Annotated[Path, typer.Argument(help="YAML file to write; the picture goes beside it, as .pgm.")],
) -> None:
    """Write a map for Nav2's map server: what the lasers of all places saw, in the frame of the memory."""
    from ami_ros.slam.occupancy_map import FREE, OCCUPIED, occupancy_map, submaps_in

    if out.suffix not in (".yaml", ".yml"):
        raise AmiError(f"map export: {out} must end in .yaml, as Nav2's map server wants it")
    picture = out.with_suffix(".pgm")
    if taken := next((file for file in (out, picture) if file.exists()), None):
        raise AmiError(f"map export: {taken} exists already; name another file, or remove it")
    drawn = occupancy_map(submaps_in(memory))
    if drawn is None:
        raise AmiError(
            f"map export: no place of {memory} has a scan; models/general, models/laser and what is trained from them "
            "keep scans, models that know a place by one picture do not"
        )
    try:
        picture.write_bytes(drawn.pgm())
        out.write_text(drawn.yaml(picture.name), encoding="utf-8")
    except OSError as error:
        raise AmiError(f"map export: cannot write {out}: {error.strerror}") from error
    area = drawn.resolution**2
    free, solid = ((drawn.cells == kind).sum() * area for kind in (FREE, OCCUPIED))
    height, width = drawn.cells.shape
    typer.echo(
        f"{out}: {width} x {height} cells of {drawn.resolution:g} m, {free:.0f} m2 free, {solid:.0f} m2 occupied"
    )


PARTS = {"export": export_map}
