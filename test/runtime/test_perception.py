"""Perception makes codes of pictures while somebody compares them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.runtime.graph import AgentConfig
from ami_ros.runtime.part import ATTENTION, IMAGE, LATENT, ODOM, Motion
from ami_ros.runtime.perception import FollowedModel, LatentFrame, PerceptionPart
from ami_ros.runtime.simulated_bus import SimulatedBus, Span, Timing
from ami_ros.world_model.latent_model import on_arrays
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel

INPUTS = InputSpec(image_size=32, scan_beams=0, field_of_view=math.radians(90.0))
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("codes", [{"pair_size": 32}, {"sight_code": 4}])
def test_codes_of_pictures_are_made_while_they_are_compared(codes: dict[str, int]) -> None:
    timing = replace(Timing.none(), perception=Span(0.01, 0.01), picture=Span(0.02, 0.02))
    bus = SimulatedBus(timing)
    model = on_arrays(WorldModel(ModelSpec(INPUTS, latent_dim=4, encoder_width=16, chunk=1, **codes)))  # type: ignore[arg-type]
    bus.add(PerceptionPart(bus.seat("perception"), FollowedModel(model, "drawn"), AgentConfig()))
    seen: list[tuple[float, LatentFrame]] = []
    bus.watch(LATENT, lambda stamp, latent: seen.append((bus.now() - stamp, latent)))
    for second, compares in enumerate([None, False, True], start=1):
        if compares is not None:
            bus.give(ATTENTION, second - 0.5, compares)
        bus.run_until(second)
        bus.give(ODOM, second, Motion(np.zeros(3), (0.0, 0.0, 0.0)))
        bus.give(IMAGE, second, lambda: PICTURE)
        bus.run_until(second + 0.4)
    always = "sight_code" in codes
    assert [latent.picture is not None for _, latent in seen] == [True, always, True]
    spent = [age for age, _ in seen]
    assert (spent[0] > spent[1] + 0.01) != always
