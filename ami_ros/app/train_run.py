"""What `ami train` does: bags -> data set -> model folder, with progress."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from ami_ros.app.extract_run import extract_bags, progress_bar
from ami_ros.errors import AmiError
from ami_ros.learning.alignment import AlignmentConfig
from ami_ros.learning.card import write_card
from ami_ros.learning.curve import draw_curve
from ami_ros.learning.dataset import CARD, Dataset
from ami_ros.learning.diagnosis import Diagnosis
from ami_ros.learning.extract import ExtractConfig
from ami_ros.learning.trainer import CHECKPOINT, Trainer, TrainingConfig
from ami_ros.world_model.checkpoint import CONFIG, LoadedModel, count_parameters, load_model, save_model

WATCHED = 0.2  # of the training, from where on a model that shows no sign of life is a warning


def open_dataset(recordings: list[Path], out: Path, period: float, console: Console) -> Dataset:
    """The one data set among `recordings`, or one extracted from all bags in them, kept in `out` / dataset."""
    if len(recordings) == 1 and (recordings[0] / CARD).is_file():
        return Dataset(recordings[0])
    bags = [bag for path in recordings for bag in find_bags(path)]
    folder = out / "dataset"
    if not (folder / CARD).is_file():
        return extract_bags(bags, folder, ExtractConfig(AlignmentConfig(period=period)), console)
    return Dataset(folder)


def find_bags(path: Path) -> list[Path]:
    """The bag at `path`, or all bags right below it, by name.

    Raises:
        AmiError: there is none.
    """

    def is_bag(folder: Path) -> bool:
        return any(folder.glob("metadata.yaml")) or any(folder.glob("*.mcap")) or any(folder.glob("*.db3"))

    if path.is_file() or is_bag(path):
        return [path]
    bags = sorted(folder for folder in path.glob("*") if folder.is_dir() and is_bag(folder)) if path.is_dir() else []
    if not bags:
        raise AmiError(f"train: {path} is no bag and holds none; record some with ./ami collect or ./ami record")
    return bags


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16; elsewhere it is emulated, and slower than float32."""
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(check and check())


def run(
    recordings: list[Path], out: Path, config: TrainingConfig, threads: int, name: str, start: Path | None = None
) -> LoadedModel:
    """Trains and writes the model folder `out`; goes on from the checkpoint there, if there is one.

    A new training begins with the weights of the model in the folder `start`, if that is given.

    Raises:
        AmiError: nothing to train on, or a folder that cannot be used.
    """
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    console = Console(stderr=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AmiError(f"train: cannot write {out}: {error.strerror}; choose another --out") from error
    if (out / CONFIG).exists() and not (out / CHECKPOINT).exists():
        raise AmiError(f"train: {out} holds a finished model; choose another --out")
    config = replace(config, bfloat16=config.bfloat16 and has_bfloat16())
    dataset = open_dataset(recordings, out, config.spec.period, console)
    trainer = Trainer(config, dataset, out, load_model(start).model if start is not None else None)
    resumed = trainer.resume()
    began, first = time.monotonic(), trainer.step
    console.print(
        f"{len(dataset)} frames, {count_parameters(trainer.model) / 1e6:.2f} M parameters"
        + (f", going on from step {trainer.step}" if resumed else "")
    )
    with progress_bar(console) as bar:
        task = bar.add_task("training", total=config.steps, completed=trainer.step)

        def report(step: int, terms: dict[str, float]) -> None:
            if "phase" in terms:
                what, loss = next(iter(terms.items()))
                bar.update(task, completed=step, description=f"heads  {what} {terms['phase']:.0%}  loss {loss:.3f}")
                return
            shown = "  ".join(
                f"{k} {v:.3f}"
                for k, v in terms.items()
                if k in ("prediction", "relative_pose", "goal", "sight", "total")
            )
            bar.update(task, completed=step, description=f"training  {shown}")

        def watch(step: int, diagnosis: Diagnosis) -> None:
            if step >= WATCHED * config.steps:  # at first every model looks dead
                for complaint in diagnosis.complaints(config.spec.latent_dim):
                    console.print(f"step {step}: {complaint}", style="yellow", soft_wrap=True)

        try:
            model = trainer.run(report, watch)
            draw_curve(out)
        except OSError as error:
            raise AmiError(f"train: cannot write {out} ({error.strerror}); make room and repeat the command") from error
    minutes = (time.monotonic() - began) / 60
    loaded = save_model(out, name, model)
    write_card(out, loaded, config, dataset, minutes, config.steps - first, torch.get_num_threads())
    trainer.checkpoint.unlink(missing_ok=True)
    console.print(f"model {loaded.encoder_id} is in {out}")
    return loaded
