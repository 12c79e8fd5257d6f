"""`ami remember`, `map` and `fleet`: memories from recordings and maps, maps from memories, what robots share."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from rich.console import Console

    from ami_ros.world_model.torch_model import LoadedModel


def remember(
    model: Annotated[Path, typer.Option(help="Model folder. The memory works with this model only.")],
    out: Annotated[Path, typer.Option(help="Memory file to write.")],
    recordings: Annotated[list[Path] | None, typer.Argument(help="Bags, folders of bags, or one data set.")] = None,
    minutes: Annotated[float, typer.Option(help="Minutes of driving to use. 0: all.")] = 30.0,
    thumbnails: Annotated[bool, typer.Option(help="Keep a picture of each place.")] = True,
    reencode: Annotated[Path | None, typer.Option(help="Memory of another model, whose places to take over.")] = None,
) -> None:
    """Build a memory of places from recordings, or re-encode the pictures of another memory."""
    import torch
    from rich.console import Console

    from ami_ros.cli.progress import reporting
    from ami_ros.memory.conversion import reencode as encode_anew
    from ami_ros.world_model.torch_model import load_model

    if out.exists():
        raise AmiError(f"remember: {out} exists already; name another file, or remove it")
    if bool(recordings) == (reencode is not None):
        raise AmiError("remember: give recordings, or --reencode with a memory")
    torch.set_num_threads(1)
    console, loaded = Console(emoji=False, stderr=True), load_model(model)
    if reencode is None:
        _live_through(recordings or [], loaded, out, minutes, thumbnails, console)
        return
    with reporting("encoding", console=console) as report:
        made = encode_anew(reencode, loaded, out, report)
    console.print(f"{made.places} places and {made.ways} ways between them are in {out}")
    if lost := made.without_picture + made.unreadable:
        why = f"{made.without_picture} have no picture, {made.unreadable} one that cannot be read"
        console.print(f"{lost} places were left out ({why}), and {made.ways_lost} ways to and from them")


def _live_through(
    recordings: list[Path], loaded: LoadedModel, out: Path, minutes: float, thumbnails: bool, console: Console
) -> None:
    """Builds a memory as a robot does that lives through `recordings`."""
    import tempfile

    from ami_ros.cli.datasets import open_dataset
    from ami_ros.cli.progress import reporting
    from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
    from ami_ros.memory.replacing import written_beside
    from ami_ros.runtime.graph import AgentConfig
    from ami_ros.runtime.recorded import RecordedBus

    try:
        with tempfile.TemporaryDirectory(prefix="ami-remember-") as scratch:
            dataset = open_dataset(recordings, Path(scratch), loaded.model.spec, console)
            with written_beside(out) as new:
                memory = PlaceMemory(loaded.model, loaded.encoder_id, new, MemoryConfig())
                agent = AgentConfig(thumbnails=thumbnails)
                try:
                    with reporting("remembering", console=console) as report:
                        bus = RecordedBus(loaded.model, loaded.encoder_id, memory, dataset, agent)
                        bus.play(minutes, report)
                finally:
                    memory.close()
    except OSError as error:
        raise AmiError(f"remember: {out} cannot be written: {error.strerror or error}") from error
    for why in bus.refused.values():
        console.print(why, markup=False, soft_wrap=True)
    console.print(f"{len(memory)} places and {len(memory.map.graph.edges)} ways between them are in {out}")


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
    from ami_ros.cli.progress import reporting
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
    with reporting("importing") as report:
        made = remember_map(
            drawn, out, loaded.encoder_id, lambda scan: perception.encode(None, scan), radius, report
        )  # fmt: skip
    apart = "" if made.areas == 1 else f"; {made.areas} areas that no free way joins"
    typer.echo(f"{out}: {made.places} places and {made.ways} ways between them{apart}")


def fleet_status(
    seconds: Annotated[float, typer.Option(min=1.0, help="To listen [s]; each robot speaks once a second.")] = 4.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the robots that share their memories, what each knows, and what it has of the others."""
    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.recorder import listen_to_site
    from ami_ros.ros.start.domain import domain_in_environment

    with RobotClient(domain=domain_in_environment()) as client:
        heard = listen_to_site(client.node, seconds)
    if as_json:
        typer.echo(json.dumps({name: dataclasses.asdict(robot) for name, robot in heard.robots.items()}, indent=1))
    elif heard.robots:
        typer.echo("\n".join(heard.lines()))
    else:
        raise AmiError(f"fleet status: no robot shares its memory within {seconds:g} s; start them with site:=NAME")


def fleet_export(
    source: Annotated[Path, typer.Argument(help="Memory file, or data set of ./ami extract; it stays as it is.")],
    folder: Annotated[Path, typer.Argument(help="Data set of the fleet, made if it is not there.")],
    robot: Annotated[
        str, typer.Option(help="Whose it is. A memory replaces the one it had sent; recordings are added.")
    ],
    model: Annotated[
        str, typer.Option(help="Of a data set: the model that the robot drove with. It tells what was surprising.")
    ] = "",
) -> None:
    """Add a robot's memory, or its recordings, to a Lance data set. It needs the extra `lance`."""
    if not source.is_dir():
        from ami_ros.memory.fleet.dataset import export_memory

        places, ways = export_memory(source, folder, robot)
        typer.echo(f"{places} places and {ways} ways of {robot} are in {folder}")
        return
    from ami_ros.cli.datasets import fit_for
    from ami_ros.cli.progress import reporting
    from ami_ros.memory.fleet.recordings import export_recordings
    from ami_ros.world_model.latent_model import load_inference
    from ami_ros.world_model.learning.dataset import Dataset

    dataset = Dataset(source)
    if not model:
        raise AmiError("fleet export: name the model that the robot drove with by --model; it tells what surprised")
    loaded = load_inference(model).model
    with reporting("encoding") as report:
        added, known = export_recordings(fit_for(dataset, loaded.spec), folder, robot, loaded, report)
    there = f"; {known} were there already" if known else ""
    typer.echo(f"{added} frames of {robot} were added to {folder}{there}")


def fleet_import(
    folder: Annotated[Path, typer.Argument(help="Data set.")],
    out: Annotated[Path | None, typer.Argument(help="Memory file to write.")] = None,
    robot: Annotated[str, typer.Option(help="Whose memory; empty: list whose there are.")] = "",
) -> None:
    """Write a memory from a Lance data set. The service ~/merge adds it to the memory of a robot."""
    from ami_ros.memory.fleet import dataset as fleet

    if not robot:
        typer.echo("\n".join(fleet.robots_of(folder)))
        return
    if out is None:
        raise AmiError("fleet import: name the memory file to write")
    places, ways = fleet.import_memory(folder, robot, out)
    typer.echo(f"{places} places and {ways} ways of {robot} are in {out}")


def fleet_compact(
    folder: Annotated[Path, typer.Argument(help="Data set.")],
    keep_days: Annotated[float, typer.Option(min=0.0, help="Keep versions that are younger [days].")] = 14.0,
    keep_hours: Annotated[
        float, typer.Option(min=0.0, help="Keep so many hours of recordings, what surprised most. 0: all.")
    ] = 0.0,
) -> None:
    """Compact a Lance data set and drop its old versions, as a job for every night. It needs the extra `lance`."""
    from ami_ros.memory.fleet import dataset as fleet

    if keep_hours:
        from ami_ros.memory.fleet.recordings import keep_surprising

        dropped, left = keep_surprising(folder, keep_hours)
        for robot, hours in dropped.items():
            typer.echo(f"{hours:.2f} h of {robot} were dropped, which surprised least")
        typer.echo(f"{left:.2f} h of recordings are left")
    typer.echo(f"{fleet.compact(folder, keep_days) / 1e6:.1f} MB were freed in {folder}")


def fleet_merge(
    folder: Annotated[Path, typer.Argument(help="Data set.")],
    out: Annotated[Path, typer.Option(help="Folder for the memories, one for each map, and merged.json.")],
    model: Annotated[str, typer.Option(help="Folder or name of the model; empty: one that ships and fits.")] = "",
) -> None:
    """Merge the memories of a Lance data set into one for each building.

    Any number of processes share the work: start it by torchrun, or on several machines. It needs the extra `lance`."""
    from ami_ros.memory.fleet.dataset import Snapshot
    from ami_ros.memory.fleet.merge import MergeSetting, merge_fleet
    from ami_ros.world_model.latent_model import load_inference

    loaded = load_inference(model or _fitting(Snapshot(folder).robots().values()))
    is_first = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    setting = MergeSetting(loaded.model, loaded.encoder_id)
    found = merge_fleet(folder, out if is_first else None, setting, lambda what: typer.echo(what, err=True))
    if not is_first:
        return
    for each in found["maps"]:
        typer.echo(f"{out / each['file']}: {each['places']} places of {', '.join(each['robots'])}")
    for robot, why in found["refused"].items():
        typer.echo(f"refused: {robot}: {why}")
    for why in found["failed"]:
        typer.echo(f"not compared: {why}")
    if found["left"]:
        typer.echo(f"{found['left']} places found no room")


def _fitting(memories: Iterable[tuple[str, int]]) -> str:
    """The name of the model that ships of which most places are."""
    from ami_ros.world_model.model_files import identify_model, shipped_models

    places = Counter[str]()
    for encoder_id, count in memories:
        places[encoder_id] += count
    known = {identify_model(name).encoder_id: name for name in shipped_models()}
    fitting = next((known[encoder_id] for encoder_id, _ in places.most_common() if encoder_id in known), "")
    if not fitting:
        known_by = ", ".join(places)
        raise AmiError(f"fleet merge: no model that ships made these memories ({known_by}): name it by --model")
    return fitting
