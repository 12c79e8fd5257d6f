"""What `ami evaluate` does: figures of a model on recordings, beside what they have to reach."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.progress import TaskID
from rich.table import Table

from ami_ros.bench.model_quality import measure_model
from ami_ros.bench.prediction import measure_prediction
from ami_ros.bench.report import hardware, write_json
from ami_ros.cli.datasets import open_dataset
from ami_ros.cli.evaluate import EvaluateOptions
from ami_ros.cli.extract_run import progress_bar
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.card import find_data, read_provenance, write_measurements
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.torch_model import LoadedModel, load_model

# What a figure has to reach before a robot is trusted to a model: a limit, and whether it is the most or the least.
FLOORS: dict[str, tuple[float, Literal["at most", "at least"]]] = {
    "prediction_to_persistence_4_steps": (0.30, "at most"),  # imagination beats "nothing changes"
    "latent_rank": (10, "at least"),  # the latent has not collapsed
    "better_than_nothing_moves": (0.30, "at least"),  # the same a second ahead, of a recording without odometry
    "better_than_fading_to_the_mean": (0.05, "at least"),  # and that is not by giving up
    "better_than_other_commands": (0.05, "at least"),  # commands matter
    "surprise_auroc": (0.95, "at least"),  # it notices what cannot be
    "uncertainty_spearman": (0.5, "at least"),  # it knows when it errs
}


def evaluate(asked: EvaluateOptions) -> None:
    """Prints figures, and writes them where they are asked for. Raises AmiError: see `measure`."""
    loaded = load_model(asked.model)
    with tempfile.TemporaryDirectory(prefix="ami-evaluate-") as scratch:
        figures = measure(loaded, asked, Path(scratch), Console(emoji=False))
    if asked.json is not None:
        write_json(asked.json, {"encoder_id": loaded.encoder_id, "seed": asked.seed} | figures | hardware())


def measure(loaded: LoadedModel, asked: EvaluateOptions, scratch: Path, console: Console) -> dict[str, object]:
    """Prints and returns the figures of `measure_model`, or of `measure_prediction` for a recording without odometry.

    Raises:
        AmiError: recordings that cannot be read or lack commands, or a card that cannot be written.
    """
    torch.set_num_threads(1)  # small networks: on a busy machine two threads wait for each other
    recordings, model, seed = asked.recordings, asked.model, asked.seed
    dataset = open_dataset(recordings, scratch, loaded.model.spec, console)
    if not dataset.card.has_command:
        raise AmiError(f"evaluate: {recordings[0]} has no commands, and predictions need them: record them, too")
    with progress_bar(console) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        figures: dict[str, object]
        if dataset.card.has_odometry:
            figures = dict(measure_model(loaded.model, dataset, seed, asked.frames, report).figures())
        else:
            figures = dict(measure_prediction(loaded.model, dataset, _learned_from(model, console), seed, report))
    _print(f"{loaded.encoder_id} on {recordings[0]}, seed {seed}", figures, console)
    if asked.card:
        try:
            sample = f"{figures['tested_frames']:,} of {figures['frames']:,} frames, seed {seed}"
            write_measurements(model, f"`{recordings[0].resolve().name}`, {sample}", figures)
        except OSError as error:
            raise AmiError(f"evaluate: cannot write the card of {model} ({error.strerror})") from error
    return figures


def _learned_from(model: Path, console: Console) -> list[Dataset]:
    """What a model learned from, as far as it is there."""
    origin = read_provenance(model)
    found, missing = find_data(model, origin) if origin is not None else ([], ["its provenance"])
    for what in missing:
        text = f"{what} is not there: if the model was trained on this recording, the figures are of what it knows"
        console.print(text, style="yellow", soft_wrap=True)
    return found


def _print(title: str, figures: dict[str, object], console: Console) -> None:
    table = Table("figure", "value", "floor", title=title)
    for name, value in figures.items():
        rule = style = ""
        if name in FLOORS and isinstance(value, int | float):
            limit, side = FLOORS[name]
            rule = f"{side} {limit:g}"
            style = "green" if (value <= limit if side == "at most" else value >= limit) else "red"
        table.add_row(name, f"{value:.3g}" if isinstance(value, float) else str(value), rule, style=style)
    console.print(table)
