"""`ami remember`: builds a memory of places from bags, or from one of another encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ami_ros.world_model.torch_model import LoadedModel


def main(
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

    from ami_ros.core.errors import AmiError
    from ami_ros.world_model.torch_model import load_model

    if out.exists():
        raise AmiError(f"remember: {out} exists already; name another file, or remove it")
    if bool(recordings) == (reencode is not None):
        raise AmiError("remember: give recordings, or --reencode with a memory")
    torch.set_num_threads(1)
    console = Console(emoji=False, stderr=True)
    loaded = load_model(model)
    if reencode is not None:
        _encode_anew(reencode, loaded, out, console)
    else:
        _live_through(recordings or [], loaded, out, minutes, thumbnails, console)


def _live_through(
    recordings: list[Path], loaded: LoadedModel, out: Path, minutes: float, thumbnails: bool, console: Console
) -> None:
    import shutil
    import tempfile

    from ami_ros.cli.datasets import open_dataset
    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.core.errors import AmiError
    from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
    from ami_ros.memory.replacing import written_beside
    from ami_ros.runtime.graph import AgentConfig
    from ami_ros.runtime.recorded import RecordedBus

    scratch = Path(tempfile.mkdtemp(prefix="ami-remember-"))
    try:
        dataset = open_dataset(recordings, scratch, loaded.model.spec, console)
        with written_beside(out) as new:
            memory = PlaceMemory(loaded.model, loaded.encoder_id, new, MemoryConfig())
            try:
                with progress_bar(console) as bar:
                    task = bar.add_task("remembering", total=None)
                    bus = RecordedBus(
                        loaded.model, loaded.encoder_id, memory, dataset, AgentConfig(thumbnails=thumbnails)
                    )
                    bus.play(minutes, lambda d, t: bar.update(task, completed=d, total=t))
            finally:
                memory.close()
    except OSError as error:
        raise AmiError(f"remember: {out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for why in bus.refused.values():
        console.print(why, markup=False, soft_wrap=True)
    console.print(f"{len(memory)} places and {len(memory.map.graph.edges)} ways between them are in {out}")


def _encode_anew(source: Path, loaded: LoadedModel, out: Path, console: Console) -> None:
    from ami_ros.cli.extract_run import progress_bar
    from ami_ros.memory.conversion import reencode

    with progress_bar(console) as bar:
        task = bar.add_task("encoding", total=None)
        made = reencode(source, loaded, out, lambda d, t: bar.update(task, completed=d, total=t))
    console.print(f"{made.places} places and {made.ways} ways between them are in {out}")
    if lost := made.without_picture + made.unreadable:
        why = f"{made.without_picture} have no picture, {made.unreadable} one that cannot be read"
        console.print(f"{lost} places were left out ({why}), and {made.ways_lost} ways to and from them")
