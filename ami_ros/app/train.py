"""`ami train`: learns a world model from bags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ami_ros.world_model.spec import InputSpec, ModelSpec


def main(
    recordings: Annotated[
        list[Path], typer.Argument(help="Bags, folders of bags (as ./ami collect writes), or data sets.")
    ],
    out: Annotated[Path, typer.Option(help="Model folder. Repeat the command to continue after an interruption.")],
    robot: Annotated[
        str | None,
        typer.Option(help="Robot in config/robots, or its file: preset, speed limits, names of topics."),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            help="onboard (camera and scan), laser, or camera (neither odometry nor scan: Donkeycar tubs); the default "
            "is that of the model to start from, else what the recordings are, else onboard."
        ),
    ] = "",
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Start from this model. Its training data are mixed in."),
    ] = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(help="Data set of the --from model, if it has moved."),
    ] = None,
    heads: Annotated[
        bool,
        typer.Option("--heads", help="Train only the heads of the --from model. Its memories stay valid."),
    ] = False,
    steps: Annotated[int, typer.Option(help="Number of optimiser steps. 0: as the preset says.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting, such as weights.sigreg=0.05. See docs/reference.md."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0,
    threads: Annotated[int, typer.Option(help="Number of cores to use. 0: all.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the model. Default: the name of its folder.")] = "",
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Train a world model on recordings. Under torchrun, several processes train together."""
    from ami_ros.app.train_data import camera_timing, lack_odometry
    from ami_ros.app.train_run import Job, run
    from ami_ros.config import with_settings
    from ami_ros.errors import AmiError
    from ami_ros.learning.presets import PRESETS, only_heads
    from ami_ros.learning.provenance import read_provenance
    from ami_ros.robots.derived import check_model, learned_limits, preset_of
    from ami_ros.robots.description import load_robot
    from ami_ros.world_model.checkpoint import load_model

    if replay and start is None:
        raise AmiError("train: --replay goes with --from; give all data as recordings to begin anew")
    described = load_robot(robot) if robot else None
    if described is not None and start is None:
        preset = preset or preset_of(described)
        settings = [f"spec.{key}={value}" for key, value in learned_limits(described).items()] + [*(settings or ())]
    if start is None and not preset and lack_odometry(recordings):
        preset = "camera"
        settings = [*(f"spec.{key}={value}" for key, value in camera_timing(recordings).items()), *(settings or ())]
    begun = load_model(start) if start is not None else None
    if not preset:
        origin = read_provenance(start) if start is not None else None
        preset = origin.preset if origin is not None else _preset_like(begun.model.spec if begun is not None else None)
    if preset not in PRESETS:
        raise AmiError(f"train: no preset '{preset}'; known are {', '.join(PRESETS)}")
    config = replace(PRESETS[preset], seed=seed)
    if begun is not None:
        spec = begun.model.spec
        if _inputs(spec) != config.spec.inputs:
            raise AmiError(f"train: {start} has other inputs than preset {preset}; choose the one that it was made by")
        wanted = config.spec  # of the preset count the heads, and that goals are sighted
        spec = replace(
            only_heads(config, spec).spec, sight_code=spec.sight_code or wanted.sight_code * (not spec.pair_size)
        )
        config = replace(config, spec=spec)
    config = with_settings(config, settings or (), "train")
    if steps:
        config = replace(config, steps=steps)
    if heads:
        if begun is None:
            raise AmiError("train: --heads needs the model that gets them: --from MODEL")
        config, name = only_heads(config, begun.model.spec), name or begun.name
    if described is not None:
        check_model(described, config.spec, str(out))
    run(
        Job(
            recordings, out, name or out.resolve().name, preset, tuple(settings or ()), config, threads, start,
            tuple(replay or ()), json, described,
        )
    )  # fmt: skip


def _inputs(spec: ModelSpec) -> InputSpec:
    """As presets have them, which know no camera."""
    return replace(spec.inputs, field_of_view=0.0, narrowest=0.0)


def _preset_like(spec: ModelSpec | None) -> str:
    """The preset of models with the inputs of `spec`; the first where there is none."""
    from ami_ros.learning.presets import PRESETS

    fitting = [name for name, config in PRESETS.items() if spec is not None and config.spec.inputs == _inputs(spec)]
    return next(iter(fitting), next(iter(PRESETS)))
