"""What each part of training brings: the same training without it."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.config import to_mapping, with_settings
from ami_ros.errors import AmiError
from ami_ros.evaluation.model_quality import measure_model
from ami_ros.evaluation.report import write_json
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.objective import LossWeights
from ami_ros.learning.trainer import Trainer, TrainingConfig
from ami_ros.world_model.checkpoint import count_parameters

RESULT = "result.json"

Report = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True)
class Variant:
    """One training: what differs from the base."""

    name: str
    what: str
    settings: tuple[str, ...] = ()  # as `./ami train --set` takes them


ALONE = tuple(f"weights.{name}=0" for name in to_mapping(LossWeights()) if name != "prediction")

VARIANTS = (
    Variant("base", "as the preset says"),
    Variant("unregularised", "nothing against collapse but the other losses", ("weights.sigreg=0", "weights.vicreg=0")),
    Variant("prediction_only", "the prediction loss alone", ALONE),
    Variant("sigreg", "SIGReg for VICReg", ("weights.sigreg=0.1", "weights.vicreg=0")),
    Variant("no_inverse_dynamics", "without inverse dynamics", ("weights.inverse_dynamics=0",)),
    Variant("no_relative_pose", "without relative poses", ("weights.relative_pose=0", "weights.imagined_pose=0")),
    Variant("no_imagined_pose", "without relative poses of imagined latents", ("weights.imagined_pose=0",)),
    Variant("no_contrast", "without the contrastive critic", ("weights.contrast=0",)),
)


@dataclass(frozen=True)
class Figure:
    """A figure of `ModelQuality.figures`, and what the table calls it."""

    key: str
    title: str
    digits: int = 3
    needs: str = ""  # the loss without which nothing has learned it


FIGURES = (
    Figure("probe_position_median_m", "position, m"),
    Figure("probe_heading_median_rad", "heading, rad"),
    Figure("prediction_to_persistence_4_steps", "NMSE at 4 steps"),
    Figure("latent_rank", "rank", 1),
    Figure("relative_position_median_m", "relative pose, m", needs="relative_pose"),
    Figure("train_cpu_s", "training, CPU s", 0),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one variant."""

    variant: Variant
    figures: dict[str, float]

    def cells(self) -> list[str]:
        """A cell for each of FIGURES; empty where there is no such figure."""
        return [f"{self.figures[f.key]:.{f.digits}f}" if f.key in self.figures else "" for f in FIGURES]


def chosen(names: list[str]) -> tuple[Variant, ...]:
    """The variants of these names, in the order of VARIANTS; all of them where there is no name.

    Raises:
        AmiError: a name that there is not.
    """
    known = [variant.name for variant in VARIANTS]
    for name in names:
        if name not in known:
            raise AmiError(f"bench ablation: no variant '{name}'; known are {', '.join(known)}")
    return tuple(variant for variant in VARIANTS if not names or variant.name in names)


def run_variant(
    variant: Variant,
    base: TrainingConfig,
    data: tuple[Dataset, Dataset],
    frames: int,
    folder: Path,
    report: Report,
) -> Outcome:
    """Trains a variant and measures it; goes on from its checkpoint, and reads the result where there is one.

    Args:
        variant: what differs from `base`.
        base: of all variants; its seed is also that of measuring.
        data: what is trained on, and what is measured on.
        frames: measured on at most.
        folder: of this variant.
        report: called with what is done, and how far.

    Raises:
        AmiError: the folder holds the result of another training.
    """
    config = with_settings(base, variant.settings, f"variant {variant.name}")
    identity = {"config": to_mapping(config), "frames": frames, "data": [_identity(part) for part in data]}
    found = _read(folder / RESULT, identity)
    if found is None:
        figures = _train_and_measure(config, data, frames, folder, report)
        for figure in FIGURES:
            if figure.needs and not getattr(config.weights, figure.needs):
                figures.pop(figure.key, None)
        write_json(folder / RESULT, identity | {"figures": figures})
        found = figures
    return Outcome(variant, found)


def _identity(data: Dataset) -> dict[str, Any]:
    return {"checksum": data.card.checksum, "rows": zlib.crc32(np.ascontiguousarray(data.offsets).tobytes())}


def _read(file: Path, identity: dict[str, Any]) -> dict[str, float] | None:
    try:
        result = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AmiError(f"bench ablation: {file} cannot be read; delete it to train this variant again") from error
    if {name: result.get(name) for name in identity} != json.loads(json.dumps(identity)):
        raise AmiError(f"bench ablation: {file} is of other steps, seed, data or settings; choose another --out")
    figures: dict[str, float] = result["figures"]
    return figures


def _train_and_measure(
    config: TrainingConfig, data: tuple[Dataset, Dataset], frames: int, folder: Path, report: Report
) -> dict[str, float]:
    training, held_out = data
    report("loading pictures", 0, 1)
    trainer = Trainer(config, training, folder)
    trainer.resume()
    first, began = trainer.step, time.process_time()
    model = trainer.run(lambda step, terms: report("training", step, config.steps))
    spent = time.process_time() - began  # not the time of the clock: other programs take turns
    quality = measure_model(model.requires_grad_(False), held_out, config.seed, frames, report)
    trainer.checkpoint.unlink(missing_ok=True)
    figures = quality.figures() | {"parameters": count_parameters(model)}
    if first < config.steps:  # what was interrupted is extrapolated from its last part
        figures["train_cpu_s"] = round(spent * config.steps / (config.steps - first), 1)
    return figures
