"""What the robots of a site share while they drive; memories and recordings of many robots in one Lance data set."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.core.errors import AmiError


def export(
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
    if source.is_dir():
        _export_recordings(source, folder, robot, model)
        return
    from ami_ros.memory.fleet import dataset as fleet

    places, ways = fleet.export_memory(source, folder, robot)
    typer.echo(f"{places} places and {ways} ways of {robot} are in {folder}")


def _export_recordings(source: Path, folder: Path, robot: str, model: str) -> None:
    from rich.console import Console

    from ami_ros.cli.datasets import fit_for
    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.memory.fleet.recordings import export_recordings
    from ami_ros.world_model.latent_model import load_inference
    from ami_ros.world_model.learning.dataset import Dataset

    dataset = Dataset(source)
    if not model:
        raise AmiError("fleet export: name the model that the robot drove with by --model; it tells what surprised")
    loaded = load_inference(model).model
    with progress_bar(Console(emoji=False, stderr=True)) as bar:
        task = bar.add_task("encoding", total=None)
        added, known = export_recordings(
            fit_for(dataset, loaded.spec), folder, robot, loaded,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    there = f"; {known} were there already" if known else ""
    typer.echo(f"{added} frames of {robot} were added to {folder}{there}")


def import_memory(
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


def compact(
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


def merge(
    folder: Annotated[Path, typer.Argument(help="Data set.")],
    out: Annotated[Path, typer.Option(help="Folder for the memories, one for each map, and merged.json.")],
    model: Annotated[str, typer.Option(help="Folder or name of the model; empty: one that ships and fits.")] = "",
) -> None:
    """Merge the memories of a Lance data set into one for each building.

    Any number of processes share the work: start it by torchrun, or on several machines. It needs the extra `lance`."""
    import os

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
    for encoder_id, _ in places.most_common():
        if encoder_id in known:
            return known[encoder_id]
    raise AmiError(f"fleet merge: no model that ships made these memories ({', '.join(places)}): name it by --model")


def status(
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


PARTS = {"status": status, "export": export, "import": import_memory, "compact": compact, "merge": merge}
