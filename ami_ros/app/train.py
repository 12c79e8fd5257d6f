"""`ami train`: learns a world model from bags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    recordings: Annotated[
        list[Path], typer.Argument(help="Bags, folders of bags (as ./ami collect writes), or one data set.")
    ],
    out: Annotated[Path, typer.Option(help="Model folder; an interrupted training goes on there.")],
    preset: Annotated[
        str, typer.Option(help="onboard (camera and scan) or ceiling (overhead camera and compass).")
    ] = "onboard",
    start: Annotated[
        Path | None, typer.Option("--from", help="Model folder whose weights are the beginning; give its data, too.")
    ] = None,
    heads: Annotated[
        bool,
        typer.Option(
            "--heads", help="Learn only heads, for the model of --from: its latents stay, and so do its memories."
        ),
    ] = False,
    steps: Annotated[int, typer.Option(help="Optimiser steps; 0: as the preset says.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value of the configuration, such as weights.sigreg=0.05; see docs/reference.md."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    threads: Annotated[int, typer.Option(help="Cores to use; 0: all.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the model; the default is the folder's.")] = "",
) -> None:
    """Learn a joint-embedding world model from recorded experience."""
    from dataclasses import replace

    from ami_ros.app.train_run import run
    from ami_ros.config import with_settings
    from ami_ros.errors import AmiError
    from ami_ros.learning.presets import PRESETS, only_heads
    from ami_ros.world_model.checkpoint import load_model
    from ami_ros.world_model.frozen_network import identified

    if preset not in PRESETS:
        raise AmiError(f"train: no preset '{preset}'; known are {', '.join(PRESETS)}")
    config = with_settings(replace(PRESETS[preset], seed=seed), settings or (), "train")
    if steps:
        config = replace(config, steps=steps)
    if heads:
        if start is None:
            raise AmiError("train: --heads needs the model that gets them: --from MODEL")
        finished = load_model(start)
        config, name = only_heads(config, finished.model.spec), name or finished.name
    config = replace(config, spec=identified(config.spec))
    run(recordings, out, config, threads, name or out.resolve().name, start)
