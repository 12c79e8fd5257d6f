"""`ami collect`, `extract` and `export`: how experience comes about, becomes a data set, and goes to other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.core.errors import AmiError


def collect(
    out: Annotated[
        Path, typer.Option(help="Folder for the runs. Repeat the command to continue after an interruption.")
    ],
    world: Annotated[
        str, typer.Option(help="A world that comes with the package, a world file, or building:SEED.")
    ] = "home",
    steps: Annotated[int, typer.Option(help="Number of steps, over all runs.")] = 60000,
    robot: Annotated[
        str, typer.Option(help="Name of a robot in config/robots, or its file; drawn: another one in each run.")
    ] = "ami_bot",
    buildings: Annotated[
        str, typer.Option(help="Use buildings instead of the world, one for each run, such as 0-99.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Random seed. The same seed gives the same runs.")] = 0,
    runs: Annotated[int, typer.Option(help="Number of bags. 0: one for each building or 4,000 steps, at most 16.")] = 0,
    period: Annotated[float, typer.Option(help="Seconds between steps.")] = 0.2,
    closed_doors: Annotated[float, typer.Option(help="Probability that a door is closed during a run.")] = 0.0,
    workers: Annotated[int, typer.Option(help="Number of runs to record in parallel. 0: one for each core.")] = 0,
) -> None:
    """Drive the simulated robot about at random, and write one bag for each run."""
    from rich.console import Console

    from ami_ros.cli.datasets import collect_runs
    from ami_ros.core.config import from_mapping
    from ami_ros.world_model.learning.collection import CollectionConfig, open_collection

    values = {"world": world, "steps": steps, "robot": robot, "runs": runs, "period": period, "seed": seed}
    values |= {"closed_doors": closed_doors, "buildings": buildings}
    config = from_mapping(CollectionConfig, values, "collect")
    console = Console(emoji=False, stderr=True)
    with open_collection(out, config) as missing:
        if missing:
            contacts = collect_runs(out, config, missing, workers or len(os.sched_getaffinity(0)), console)
            console.print(f"{len(missing)} runs recorded; the robot touched something {contacts} times", soft_wrap=True)
    console.print(f"{config.steps} steps in {len(config.run_lengths())} runs are in {out}", soft_wrap=True)


def extract(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Bags (rosbag2 folders, .mcap, .db3 or .bag files), Donkeycar tubs, folders of "
            "one of them, or one LeRobotDataset v3."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the data set. Repeat the command to continue after an interruption.")
    ],
    robot: Annotated[
        str | None,
        typer.Option(help="Robot in config/robots, or its file: names of topics, drive, place of the laser."),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="role=name, where types and usual names do not tell; roles are image, odometry, command, scan "
            "and truth; of tubs image, steering and throttle. Of a LeRobotDataset role=feature or "
            "role=feature:0,1,2."
        ),
    ] = None,
    period: Annotated[float, typer.Option(help="Time between frames [s]. It must be that of the model.")] = 0.2,
    tolerance: Annotated[
        float, typer.Option(help="Largest time between a sensor's stamp and its frame [s]. 0: from the sensor's rate.")
    ] = 0.0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting, as key=value. See docs/reference.md."),
    ] = None,
) -> None:
    """Turn bags into a data set with one frame per period, and say what was left out."""
    from dataclasses import replace

    from rich.console import Console

    from ami_ros.cli.datasets import extract_any, report
    from ami_ros.core.config import from_mapping, with_settings
    from ami_ros.core.robots.derived import extraction_settings
    from ami_ros.core.robots.description import load_robot
    from ami_ros.world_model.learning.extract import ExtractConfig

    topics = {}
    for pair in topic or ():
        role, is_pair, name = pair.partition("=")
        if not is_pair:
            raise AmiError(f"extract: --topic {pair} is not of the form role=name")
        topics[role] = name
    first = [f"alignment.period={period}", f"alignment.tolerance={tolerance}"]
    known = from_mapping(ExtractConfig, extraction_settings(load_robot(robot)) if robot else {}, "extract")
    config = with_settings(known, [*first, *(settings or ())], "extract")
    console = Console(emoji=False, stderr=True)
    config = replace(config, topics=config.topics | topics)
    dataset = extract_any(recordings, out, config, console)
    report(dataset, Console(emoji=False))


def export(
    source: Annotated[Path, typer.Argument(help="Model folder, or data set.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to. Default for a data set: SOURCE/lerobot."),
    ] = None,
    bags: Annotated[
        bool, typer.Option("--bags", help="Write bags, one for each episode. Default folder: SOURCE/bags.")
    ] = False,
    task: Annotated[str, typer.Option(help="What the robot did, in words, as LeRobot requires.")] = "drive about",
    without_camera: Annotated[
        bool, typer.Option("--without-camera", help="Write a model for robots without a camera. Needs --out.")
    ] = False,
) -> None:
    """Write a data set as LeRobotDataset v3 or as bags, or a model for robots without a camera."""
    from rich.console import Console

    from ami_ros.cli.progress import reporting
    from ami_ros.world_model.learning.dataset import CARD, Dataset

    console = Console(emoji=False)
    if without_camera:
        from ami_ros.world_model.torch_model import CONFIG, load_model, save_model
        from ami_ros.world_model.torch_model import without_camera as blinded

        if out is None or (out / CONFIG).exists():
            raise AmiError("export: --without-camera writes a model of its own; give a new folder as --out")
        saved = save_model(out, out.name, blinded(load_model(source).model))
        text = f"{saved.encoder_id}, {saved.model.count_parameters():,} parameters, is in {out}"
        console.print(text, soft_wrap=True)
        return
    if not (source / CARD).is_file():
        raise AmiError(f"export: {source} is no data set; for a model, give --without-camera and --out")
    dataset = Dataset(source)
    if bags:
        from ami_ros.world_model.learning.extract import export_bags

        to = out or source / "bags"
        with reporting("writing rows", len(dataset), console) as report:
            written = export_bags(dataset, to, report)
        console.print(f"{len(dataset):,} rows in {len(written)} bags are in {to}", soft_wrap=True)
    else:
        from ami_ros.world_model.learning.lerobot_export import export_lerobot

        to = out or source / "lerobot"
        with reporting("writing frames", len(dataset), console) as report:
            export_lerobot(dataset, to, task, report)
        console.print(f"{len(dataset):,} frames in {len(dataset.episodes)} episodes are in {to}", soft_wrap=True)
