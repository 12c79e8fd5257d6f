"""Two short recordings of a robot, as it exports them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.extract import extract
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel
from harness.smooth_drives import record

TINY = ModelSpec(
    InputSpec(image_size=16, scan_beams=72),
    latent_dim=16,
    encoder_width=64,
    predictor_width=64,
    head_width=96,
    contrast_dim=16,
)


class FleetData(NamedTuple):
    """Data sets of one recording and of two, 200 rows each, and a model that knows nothing."""

    first: Dataset
    both: Dataset
    model: Any


@pytest.fixture(scope="session")
def fleet_data(tmp_path_factory: pytest.TempPathFactory) -> FleetData:
    """Read only."""
    folder: Path = tmp_path_factory.mktemp("fleet")
    bags = [folder / f"run_{seed}" for seed in range(2)]
    for seed, path in enumerate(bags):
        with BagWriter(path) as bag:
            record(bag, seed)
    torch.manual_seed(0)
    model = on_arrays(WorldModel(TINY).eval().requires_grad_(False))
    return FleetData(extract(bags[:1], folder / "first"), extract(bags, folder / "both"), model)


def changed(dataset: Dataset, **columns: Any) -> Dataset:
    """The same with other columns, or another period or size of pictures on its card."""
    other = Dataset(dataset.folder)
    for name in ("period", "image_size"):
        if name in columns:
            other.card = replace(other.card, **{name: columns.pop(name)})
    other.period = other.card.period
    for name, values in columns.items():
        setattr(other, name, values)
    return other
