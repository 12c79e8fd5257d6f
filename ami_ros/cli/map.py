"""Turn a memory into a map for Nav2, or such a map into a memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ami_ros.core.errors import AmiError


def export_map(
    memory: Annotated[Path, typer.Argument(help="Memory file; it stays as it is.")],
    out: Annotated[Path, typer.Argument(help="YAML file to write; the picture goes beside it, as .pgm.")],
) -> None:
    """Write a map for Nav2's map server: what the laser saw at all places, in the frame of the memory."""
    from ami_ros.memory.occupancy_map import FREE, OCCUPIED, occupancy_map, submaps_in

    if out.suffix not in (".yaml", ".yml"):
        raise AmiError(f"map export: {out} must end in .yaml, as Nav2's map server wants it")
    picture = out.with_suffix(".pgm")
    if taken := next((file for file in (out, picture) if file.exists()), None):
        raise AmiError(f"map export: {taken} exists already; name another file, or remove it")
    drawn = occupancy_map(submaps_in(memory))
    if drawn is None:
        raise AmiError(
            f"map export: no place of {memory} has a scan: it was made without a laser, or by a version that kept "
            "none; explore with a new memory"
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


def import_map(
    file: Annotated[
        Path, typer.Argument(help="YAML file of a map, as Nav2's map server reads it; the picture beside it.")
    ],
    out: Annotated[Path, typer.Argument(help="Memory file to write.")],
    model: Annotated[str, typer.Option(help="Folder or name of a model that does without a camera.")] = "laser",
    robot: Annotated[str, typer.Option(help="Name of a robot in config/robots, or its file: where it fits.")] = "",
) -> None:
    """Write a memory from a map for Nav2, so that a robot with a laser knows a building before its first drive.

    The memory has places all over the free space of the map, in the frame of the map. Start the robot with
    ami drive --model laser --memory OUT, and tell it where it is with RViz's tool "2D Pose Estimate".
    """
    from rich.console import Console

    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.core.robots.description import DEFAULT, load_robot
    from ami_ros.memory.conversion import remember_map
    from ami_ros.memory.occupancy_map import read_map
    from ami_ros.world_model.latent_model import load_inference
    from ami_ros.world_model.perception import Perception

    radius = load_robot(robot or DEFAULT).shape.radius
    loaded = load_inference(model)
    if loaded.model.spec.inputs.image_size:
        raise AmiError(
            f"map import: the model {model} knows places by pictures, and a map has none: take --model laser"
        )
    perception, drawn = Perception(loaded.model), read_map(file)
    with progress_bar(Console(emoji=False, stderr=True)) as bar:
        task = bar.add_task("importing", total=None)
        made = remember_map(
            drawn, out, loaded.encoder_id, lambda scan: perception.encode(None, scan), radius,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    apart = "" if made.areas == 1 else f"; {made.areas} areas that no free way joins"
    typer.echo(f"{out}: {made.places} places and {made.ways} ways between them{apart}")


PARTS = {"export": export_map, "import": import_map}
