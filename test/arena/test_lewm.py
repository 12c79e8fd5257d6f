"""A LeWM of stable-worldmodel behind our protocol of dynamics."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ami_ros.arena.lewm import LewmDynamics, load_lewm
from ami_ros.errors import AmiError

DIM = 12


class TinyVit(nn.Module):
    """An encoder with the interface of a vision transformer of theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, DIM, 32, stride=32)

    def forward(self, pixels: torch.Tensor, interpolate_pos_encoding: bool) -> Any:
        return SimpleNamespace(last_hidden_state=self.patches(pixels).flatten(2).transpose(1, 2))


@pytest.fixture(scope="module")
def lewm() -> Any:
    pytest.importorskip("stable_worldmodel")
    from stable_worldmodel.wm.lewm import LeWM
    from stable_worldmodel.wm.lewm.module import Embedder, Predictor

    torch.manual_seed(0)
    predictor = Predictor(num_frames=3, depth=1, heads=2, mlp_dim=16, input_dim=DIM, hidden_dim=DIM, dim_head=6)
    for parameter in predictor.parameters():  # theirs begins with gates of zero, where actions would not matter
        nn.init.normal_(parameter, std=0.3)
    return LeWM(TinyVit(), predictor, Embedder(input_dim=10, emb_dim=DIM)).eval()


def dynamics(lewm: Any) -> LewmDynamics:
    return LewmDynamics(lewm, np.array([0.1, -0.2], np.float32), np.array([0.5, 2.0], np.float32), DIM)


def test_a_rollout_is_what_lewm_itself_imagines(lewm: Any) -> None:
    ours = dynamics(lewm)
    pictures = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    latent = ours.encode_pictures(pictures)
    commands = torch.randn(4, 5, 5, 2)
    latents, motions = ours.rollout(latent.expand(4, -1), commands, torch.zeros(4, 2))
    scaled = (commands - torch.tensor([0.1, -0.2])) / torch.tensor([0.5, 2.0])
    info = {"pixels": torch.zeros(1, 4, 1, 3, 224, 224), "emb": latent.expand(1, 4, 1, DIM)}
    theirs = lewm.rollout(info, scaled.flatten(2)[None])["predicted_emb"][0, :, 1:]
    torch.testing.assert_close(latents, theirs)
    assert not motions.any()


def test_commands_change_what_is_imagined(lewm: Any) -> None:
    latents, _ = dynamics(lewm).rollout(torch.zeros(2, DIM), torch.randn(2, 3, 5, 2), torch.zeros(2, 2))
    assert (latents[0] - latents[1]).abs().max() > 1e-4


def test_a_pose_is_refused_with_what_to_set(lewm: Any) -> None:
    with pytest.raises(AmiError, match="latent_distance"):
        _ = dynamics(lewm).relative_pose


def test_a_config_that_would_build_something_else_is_not_loaded(tmp_path: Path) -> None:
    config = {"_target_": "stable_worldmodel.wm.lewm.LeWM", "encoder": {"_target_": "os.system", "command": "true"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(AmiError, match=r"would build os\.system"):
        load_lewm(tmp_path, np.zeros(2, np.float32), np.ones(2, np.float32))


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"one \.pt file"):
        load_lewm(tmp_path, np.zeros(2, np.float32), np.ones(2, np.float32))
