"""Images with the scan of their moment, at a rate that the model needs; codes of pictures while they are compared."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.runtime.graph import AgentConfig
from ami_ros.runtime.part import ATTENTION, IMAGE, LATENT, ODOM, Motion
from ami_ros.runtime.perception import FollowedModel, FreshnessConfig, LatentFrame, PerceptionPart, Synchroniser
from ami_ros.runtime.simulated_bus import SimulatedBus, Span, Timing
from ami_ros.world_model.by_torch import on_arrays
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


# Images with the scan and heading of their moment, at a rate that the model needs


SCAN = Scan(np.ones(8, np.float32), 0.0, np.pi / 4)


def image(number: int) -> np.ndarray:
    return np.full((4, 4, 3), number % 256, np.uint8)


def synchroniser(inputs: InputSpec | None = None, max_rate: float = 15.0) -> Synchroniser:
    return Synchroniser(inputs or InputSpec(), FreshnessConfig(), 0.25, max_rate)


def test_a_frame_has_the_newest_scan() -> None:
    made = synchroniser()
    assert made.take_scan(0.9, SCAN, 1.0) is None
    frame = made.take_image(1.0, image(1), 1.0)
    assert frame is not None and frame.scan is SCAN and frame.stamp == 1.0


@pytest.mark.parametrize(("scan", "words"), [(0.5, "'scan'.*0.50 s older"), (None, "'scan'.*never")])
def test_an_image_without_what_belongs_to_it_is_refused(scan: float | None, words: str) -> None:
    made = synchroniser()
    if scan is not None:
        made.take_scan(scan, SCAN, 1.0)
    with pytest.raises(AmiError, match=words):
        made.take_image(1.0, image(1), 1.0)


@pytest.mark.parametrize(("rate", "expected"), [(5, 5), (10, 10), (15, 15), (25, 12.5), (30, 15), (60, 15)])
def test_faster_cameras_make_no_more_frames_than_wanted(rate: int, expected: float) -> None:
    made, frames = synchroniser(InputSpec(scan_beams=0)), 0
    for k in range(10 * rate):
        frames += made.take_image(k / rate, image(k), k / rate) is not None
    assert frames / 10 == pytest.approx(expected, rel=0.05)


def test_a_model_without_a_camera_gets_its_frames_by_the_scan() -> None:
    made = synchroniser(InputSpec(image_size=0))
    frame = made.take_scan(1.0, SCAN, 1.0)
    assert frame is not None and frame.image is None and frame.scan is SCAN


def test_equal_images_while_the_robot_moves_mean_a_frozen_camera() -> None:
    made = synchroniser(InputSpec(scan_beams=0))
    with pytest.raises(AmiError, match="frozen"):
        for k in range(40):
            made.take_velocity(k / 10, (0.3, 0.0))
            made.take_image(k / 10, image(1), k / 10)


def test_an_odometry_that_stopped_does_not_make_a_standing_camera_a_frozen_one() -> None:
    made = synchroniser(InputSpec(scan_beams=0))
    for k in range(10):
        made.take_velocity(k / 10, (0.3, 0.0))
        made.take_image(k / 10, image(k), k / 10)
    for k in range(10, 100):  # nothing is heard of the wheels, and the robot stands
        made.take_image(k / 10, image(1), k / 10)
