"""The model of a process: loaded once for all its nodes, and again when its files are others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.ros.models import shared_arrays, shared_model
from ami_ros.world_model.latent_model import InferenceModel
from harness.small_model import save_small_model


def test_all_nodes_of_a_process_share_it(tmp_path: Path) -> None:
    arrays, model = shared_arrays(save_small_model(tmp_path, image_size=0, scan_beams=9)), shared_model(tmp_path)
    assert shared_arrays(tmp_path / ".." / tmp_path.name) is arrays and shared_model(tmp_path) is model
    assert isinstance(arrays.model, InferenceModel)
    assert (arrays.encoder_id, arrays.sha256) == (model.encoder_id, model.sha256)
    assert arrays.model.count_parameters() == model.model.count_parameters()


def test_another_model_in_the_same_folder_is_loaded_anew(tmp_path: Path) -> None:
    before, model = shared_arrays(save_small_model(tmp_path, image_size=0, scan_beams=9)), shared_model(tmp_path)
    after = shared_arrays(save_small_model(tmp_path, image_size=0, scan_beams=9))
    assert before.sha256 != after.sha256 == shared_model(tmp_path).sha256 and model.sha256 == before.sha256
    latents = np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)
    assert np.abs(before.model.relative_pose(*latents) - after.model.relative_pose(*latents)).max() > 1e-3


def test_without_a_folder_it_says_what_to_set() -> None:
    for load in (shared_arrays, shared_model):
        with pytest.raises(AmiError, match="parameter 'model' is not set"):
            load(None)
