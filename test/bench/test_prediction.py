"""Predictions of recordings without odometry: judged where the model has not been, by what no trick beats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.prediction import _against, _retrieval, measure_prediction, untrained
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.alignment import AlignmentConfig
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.extract import ExtractConfig
from ami_ros.world_model.learning.held_out import split_recordings
from ami_ros.world_model.learning.trainer import PRESETS, Trainer
from ami_ros.world_model.learning.tub import extract_tubs
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler, mirrored
from ami_ros.world_model.spec import InputSpec
from harness.tub import write_tub

CONFIG = replace(
    PRESETS["camera"],
    steps=200,
    warm_up=10,
    learning_rate=3e-3,
    batch=16,
    head_steps=4,
    bfloat16=False,
    spec=replace(
        PRESETS["camera"].spec,
        inputs=InputSpec(image_size=16, scan_beams=0),
        latent_dim=16,
        encoder_width=64,
        predictor_width=64,
        head_width=64,
        contrast_dim=16,
    ),
)


@pytest.fixture(scope="module")
def tubs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("tubs")
    found = [write_tub(folder / f"tub_{seed}", 600, imu=seed == 0, seed=seed) for seed in range(2)]
    config = ExtractConfig(alignment=AlignmentConfig(period=0.1))
    return extract_tubs(found, folder / "data", config, lambda done, total: None)


def test_the_last_tenth_of_each_recording_is_kept_from_training(tubs: Dataset) -> None:
    kept, held = split_recordings(tubs, 0.1)
    (first, second) = tubs.recordings
    assert sum(stop - start for start, stop in held) == pytest.approx(0.1 * len(tubs), abs=2)
    for (start, stop), (_, end) in zip(held, (first, second), strict=True):
        assert stop == end and not any(begin < stop and start < last for begin, last in kept)
    assert untrained(tubs, [tubs]).sum() == sum(stop - start for start, stop in held)
    assert untrained(tubs, []).all()


def test_a_model_of_a_tub_predicts_the_end_of_the_tub_better_than_no_change(tubs: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(CONFIG, tubs, tmp_path)
    model = trainer.run(lambda step, terms: None)
    found = measure_prediction(model, tubs, [tubs], seed=0)
    assert found["seconds_ahead"] == 1.0 and found["tested_frames"] < 0.11 * len(tubs)
    assert found["better_than_nothing_moves"] > 0.1 and found["better_than_other_commands"] > 0.0
    assert {"picture_better_than_nothing_moves", "retrieval_rank", "latent_rank"} <= set(found)
    with pytest.raises(AmiError, match=r"no stretch of 1\.2 s that the model was not trained on"):
        short = tubs.recordings[0][1] // 10 - 5
        measure_prediction(model, _Shortened(tubs, short), [tubs], seed=0)


class _Shortened(Dataset):
    """The first rows of a data set, at the same times."""

    def __init__(self, whole: Dataset, rows: int) -> None:
        super().__init__(whole.folder)
        self.card = replace(self.card, frames=rows, checksum="other", sources=())
        self.stamp, self.episodes = self.stamp[:rows], [(0, rows)]


def test_giving_up_is_not_taken_for_a_prediction() -> None:
    rng = np.random.default_rng(0)
    now, came = rng.normal(size=(2, 400, 8))
    given_up = _against("", np.zeros_like(came), now, came)
    assert given_up["better_than_nothing_moves"] > 0.45  # which alone would pass
    assert given_up["better_than_fading_to_the_mean"] < 0.01 and _retrieval(np.zeros_like(came), came) > 0.4
    known = _against("", came + 0.1 * now, now, came)
    assert known["better_than_fading_to_the_mean"] > 0.9 and _retrieval(came + 0.1 * now, came) == 0.0


def test_a_mirrored_window_steers_to_the_other_side(tubs: Dataset) -> None:
    config = WindowConfig(starts=3)
    sampler = WindowSampler(tubs, CONFIG.spec, config)
    batch = sampler.batch(np.random.default_rng(0), 4)
    other = mirrored(batch)
    image, flipped = (b.sensors.image.unflatten(0, (-1, 4)) for b in (batch, other))
    assert (flipped[:, 0] == image[:, 0].flip(-1)).all() and (flipped[:, 1] == image[:, 1]).all()
    assert (other.commands[:, ::2, :, 1] == -batch.commands[:, ::2, :, 1]).all()
    assert (other.commands[..., 0] == batch.commands[..., 0]).all()
    assert (other.commands[:, 1::2] == batch.commands[:, 1::2]).all()


def test_poses_are_not_learned_from_recordings_that_have_none(tubs: Dataset, tmp_path: Path) -> None:
    weights = replace(CONFIG.weights, relative_pose=1.0)
    with pytest.raises(AmiError, match=r"no odometry.*--preset camera"):
        Trainer(replace(CONFIG, weights=weights), tubs, tmp_path)
