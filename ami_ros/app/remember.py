"""`ami remember`: builds a memory of places from bags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    recordings: Annotated[list[Path], typer.Argument(help="Bags, folders of bags, or one data set.")],
    model: Annotated[Path, typer.Option(help="Model folder; the memory is for its encoder alone.")],
    out: Annotated[Path, typer.Option(help="Memory file to write.")],
    minutes: Annotated[float, typer.Option(help="Driving to live through; 0: all.")] = 30.0,
    thumbnails: Annotated[bool, typer.Option(help="Keep a picture of each place.")] = True,
) -> None:
    """Live through recorded experience once and keep the places."""
    import shutil
    import tempfile

    import torch
    from rich.console import Console

    from ami_ros.app.extract_run import progress_bar
    from ami_ros.app.train_data import open_dataset
    from ami_ros.errors import AmiError
    from ami_ros.learning.remembering import remember_recording
    from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
    from ami_ros.world_model.checkpoint import load_model

    if out.exists():
        raise AmiError(f"remember: {out} exists already; name another file, or remove it")
    torch.set_num_threads(1)
    console = Console(stderr=True)
    loaded = load_model(model)
    scratch = Path(tempfile.mkdtemp(prefix="ami-remember-"))
    try:
        dataset = open_dataset(recordings, scratch, loaded.model.spec.period, console)
        memory = PlaceMemory(loaded.model, loaded.encoder_id, out, MemoryConfig())
        try:
            with progress_bar(console) as bar:
                task = bar.add_task("remembering", total=None)
                remember_recording(
                    memory, dataset, minutes, lambda d, t: bar.update(task, completed=d, total=t), thumbnails
                )
        finally:
            memory.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    console.print(f"{len(memory)} places and {len(memory.map.graph.edges)} ways between them are in {out}")
