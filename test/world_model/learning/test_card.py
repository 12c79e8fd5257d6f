"""The card of a model tells people what made it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ami_ros.world_model.learning.card import write_card
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.trainer import TrainingConfig
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, load_model, save_model


def test_the_card_says_what_the_model_is_and_what_made_it(
    tmp_path: Path, dataset: Dataset, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ami", "train", "my bag", "--steps", "1200"])
    config = TrainingConfig(steps=1200, batch=48, seed=7, spec=spec)
    loaded = save_model(tmp_path, "office", WorldModel(spec))
    write_card(tmp_path, loaded, config, dataset, minutes=2.5, steps=800, threads=2)
    card = (tmp_path / "card.md").read_text()
    assert card.startswith("# office\n")
    for fact in (
        loaded.encoder_id,
        "./ami train 'my bag' --steps 1200",
        "image 16 px; latent of 16",
        "1,200 frames in 6 episodes, 4 min of driving",
        "1,200 steps of 48 windows, seed 7",
        "2.5 min for 800 steps on 2 threads",
    ):
        assert fact in card
    assert load_model(tmp_path).encoder_id == loaded.encoder_id  # the card is not in the way


def test_the_card_names_every_sensor(tmp_path: Path, dataset: Dataset, spec: ModelSpec) -> None:
    everything = replace(spec, inputs=InputSpec(image_size=32, scan_beams=36))
    loaded = save_model(tmp_path, "all", WorldModel(everything))
    write_card(tmp_path, loaded, TrainingConfig(spec=everything), dataset, 1.0, 1, 1)
    assert "image 32 px, scan of 36 beams; latent" in (tmp_path / "card.md").read_text()
