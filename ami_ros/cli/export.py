"""`ami export`: writes a model, or a data set, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from rich.console import Console


def main(
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

    from ami_ros.world_model.learning.dataset import CARD

    if without_camera:
        _export_without_camera(source, out, Console(emoji=False))
    elif (source / CARD).is_file() and bags:
        _export_bags(source, out or source / "bags", Console(emoji=False))
    elif (source / CARD).is_file():
        _export_dataset(source, out or source / "lerobot", task, Console(emoji=False))
    else:
        raise AmiError(f"export: {source} is no data set; for a model, give --without-camera and --out")


def _export_dataset(source: Path, out: Path, task: str, console: Console) -> None:
    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.world_model.learning.dataset import Dataset
    from ami_ros.world_model.learning.lerobot_export import export_lerobot

    dataset = Dataset(source)
    with progress_bar(console) as bar:
        row = bar.add_task("writing frames", total=len(dataset))
        export_lerobot(dataset, out, task, lambda done, total: bar.update(row, completed=done))
    console.print(f"{len(dataset):,} frames in {len(dataset.episodes)} episodes are in {out}", soft_wrap=True)


def _export_bags(source: Path, out: Path, console: Console) -> None:
    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.world_model.learning.dataset import Dataset
    from ami_ros.world_model.learning.extract import export_bags

    dataset = Dataset(source)
    with progress_bar(console) as bar:
        row = bar.add_task("writing rows", total=len(dataset))
        written = export_bags(dataset, out, lambda done, total: bar.update(row, completed=done))
    console.print(f"{len(dataset):,} rows in {len(written)} bags are in {out}", soft_wrap=True)


def _export_without_camera(source: Path, out: Path | None, console: Console) -> None:
    from ami_ros.world_model.torch_model import CONFIG, load_model, save_model, without_camera

    if out is None or (out / CONFIG).exists():
        raise AmiError("export: --without-camera writes a model of its own; give a new folder as --out")
    saved = save_model(out, out.name, without_camera(load_model(source).model))
    text = f"{saved.encoder_id}, {saved.model.count_parameters():,} parameters, is in {out}"
    console.print(text, soft_wrap=True)
