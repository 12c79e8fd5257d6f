"""The card of a model: what it is, what made it, for people."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ami_ros.hardware import processor_name
from ami_ros.learning.held_out import BeforeAfter
from ami_ros.learning.pictures import Recording
from ami_ros.learning.trainer import TrainingConfig
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.identity import write_atomically

MEASURED = "## Measured on recordings that it was not trained on"


def write_card(
    folder: Path,
    loaded: LoadedModel,
    config: TrainingConfig,
    recording: Recording,
    minutes: float,
    steps: int,
    threads: int,
    comparisons: Sequence[BeforeAfter] = (),
) -> None:
    """Writes card.md beside the weights.

    Args:
        folder: of the model.
        loaded: the model.
        config: of its training.
        recording: that it was trained on.
        minutes: spent on `steps`.
        steps: made in this call; fewer than configured after a resumption.
        threads: used.
        comparisons: on what was held out.
    """
    spec, inputs = config.spec, config.spec.inputs
    sensors = {
        f"image {inputs.image_size} px": inputs.image_size,
        f"scan of {inputs.scan_beams} beams": inputs.scan_beams,
    }
    heads = {f"ensemble of {spec.ensemble}": spec.ensemble}
    made = f"{config.steps + config.dynamics_steps:,} steps of {config.batch} windows"
    made += ", of what commands do alone" if config.dynamics_steps else ""
    driven = len(recording) * recording.period / 60
    lines = [
        f"# {loaded.name}",
        "",
        f"- encoder id: `{loaded.encoder_id}`",
        f"- made by: `./ami {shlex.join(sys.argv[1:])}`",
        f"- inputs: {', '.join(name for name, used in sensors.items() if used)}; latent of {spec.latent_dim}",
        f"- parameters: {loaded.model.count_parameters():,}",
        f"- learned heads: {', '.join(name for name, used in heads.items() if used) or 'none'}",
        f"- data: {len(recording):,} frames in {len(recording.episodes)} episodes, {driven:.0f} min of driving",
        f"- training: {made}, seed {config.seed}",
        f"- time: {minutes:.1f} min for {steps:,} steps on {threads} threads of {processor_name()}",
    ]
    rows = [row for comparison in comparisons for row in comparison.rows()]
    if rows:
        share = f"{config.held_out:.0%} of each episode, its end"
        lines += ["", f"On what was held out ({share}); before: the model that it started from.", ""]
        lines += ["| held out | figure | before | after |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    write_atomically(folder / "card.md", ("\n".join(lines) + "\n").encode())


def write_measurements(folder: Path, sample: str, figures: Mapping[str, object]) -> None:
    """Writes what `ami evaluate` measured into card.md, in place of what it had measured before.

    Args:
        folder: of the model.
        sample: what it was measured on.
        figures: by name, with units.
    """
    file = folder / "card.md"
    text = file.read_text("utf-8") if file.is_file() else ""
    before = text.partition(f"\n{MEASURED}\n")[0].rstrip("\n")
    rows = [f"| {name} | {value:.3g} |" if isinstance(value, float) else f"| {name} | {value} |"
            for name, value in figures.items()]  # fmt: skip
    lines = ["", MEASURED, "", f"`./ami evaluate` on {sample}:", "", "| figure | value |", "|---|---|", *rows]
    write_atomically(file, ("\n".join([before, *lines]) + "\n").encode())
