"""`ami export`: writes a model for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files; the default is MODEL/onnx.")] = None,
) -> None:
    """Write encoders, predictor, relative pose and learned heads as ONNX files, and check them against the model."""
    from rich.console import Console

    from ami_ros.world_model.checkpoint import load_model
    from ami_ros.world_model.onnx_runtime import FOLDER, export_onnx, largest_difference, leaves_out

    loaded, folder = load_model(model), out or model / FOLDER
    for file in export_onnx(loaded, folder):
        Console().print(f"{file}: off by at most {largest_difference(loaded, file):.1e}", soft_wrap=True)
    if leaves_out(loaded.model.spec):
        Console().print(leaves_out(loaded.model.spec), soft_wrap=True)
