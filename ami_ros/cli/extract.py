"""`ami extract`: makes a data set from bags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
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

    from ami_ros.cli.datasets import extract_any
    from ami_ros.cli.extract_run import report
    from ami_ros.core.config import from_mapping, with_settings
    from ami_ros.core.errors import AmiError
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
