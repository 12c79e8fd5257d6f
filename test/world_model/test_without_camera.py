"""A model for robots without a camera, made of one that sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.scan import Scan
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import DYNAMICS, GREY, WorldModel, load_model, without_camera

SCAN = Scan(np.linspace(0.5, 6.0, 72).astype(np.float32), 0.0, 2 * np.pi / 72)


def test_it_perceives_what_the_one_that_sees_does_before_a_grey_wall() -> None:
    seeing = load_model(share("models", "general")).model
    blind = without_camera(seeing)
    grey = np.full((64, 64, 3), GREY, np.uint8)
    assert np.allclose(Perception(blind).encode(None, SCAN), Perception(seeing).encode(grey, SCAN), atol=1e-5)
    latent, commands = torch.randn(2, 64), torch.rand(2, 3, 3, 2)
    for one, other in zip(*(m.rollout(latent, commands, commands[:, 0, 0]) for m in (seeing, blind)), strict=True):
        assert torch.equal(one, other)


def test_the_one_that_ships_encodes_as_the_general_one() -> None:
    """What commands do the general one has learned further, on latents that had pictures."""
    made, shipped = without_camera(load_model(share("models", "general")).model), load_model(share("models", "laser"))
    assert shipped.model.spec == replace(made.spec, max_linear=0.5)
    assert not made.spec.inputs.image_size and made.pairs is None
    weights = shipped.model.state_dict()
    for name, weight in made.state_dict().items():
        if name.startswith((*DYNAMICS, "heads.")):
            continue
        assert torch.allclose(weights[name].float(), weight.float(), atol=1e-3, rtol=1e-3), name


def test_a_picture_tells_it_nothing() -> None:
    blind = without_camera(load_model(share("models", "general")).model)
    with pytest.raises(AmiError, match="does without a camera, so a picture tells it nothing"):
        Perception(blind).encode_goal(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (InputSpec(image_size=0), "does without a camera already"),
        (InputSpec(image_size=16, scan_beams=0), "nothing is left without a camera"),
    ],
)
def test_a_model_that_has_nothing_to_lose_or_nothing_left_is_refused(inputs: InputSpec, why: str) -> None:
    with pytest.raises(AmiError, match=why):
        without_camera(WorldModel(replace(ModelSpec(), inputs=inputs)))
