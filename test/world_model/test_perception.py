"""Sensors as they come: any image size, any scan layout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.world_model.perception import Perception, fit_image, fit_scan, fit_scan_columns
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel

BEAMS = 72
SPEC = ModelSpec(
    InputSpec(image_size=16, scan_beams=BEAMS), latent_dim=8, encoder_width=32, head_width=16, predictor_width=16
)


def room(angles: np.ndarray) -> np.ndarray:
    """Ranges [m] in a lopsided room, different in every direction."""
    return (2.0 + np.cos(angles) + 0.5 * np.sin(2 * angles) + 0.2 * np.sin(angles)).astype(np.float32)


def scan_in_room(count: int, first: float, step: float) -> Scan:
    return Scan(room(first + step * np.arange(count)), first, step)


STRAIGHT = room(np.arange(BEAMS) * 2 * np.pi / BEAMS)


@pytest.mark.parametrize("first", [0.0, -np.pi, 1.0, 3 * np.pi / 2, -7.0])
@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("count", [72, 360, 720, 1081])
def test_full_turns_of_every_layout_read_alike(first: float, turn: int, count: int) -> None:
    step = turn * 2 * np.pi / count
    fitted = fit_scan(scan_in_room(count, first, step), BEAMS)
    assert fitted.dtype == np.float32 and fitted.shape == (BEAMS,)
    # The nearest beam is at most half a beam away; the room's ranges change by less than 2.5 m/rad.
    np.testing.assert_allclose(fitted, STRAIGHT, atol=2.5 * abs(step) / 2 + 1e-4)


def test_a_first_beam_that_is_repeated_as_the_last_one_does_no_harm() -> None:
    step = 2 * np.pi / 360
    np.testing.assert_allclose(fit_scan(scan_in_room(361, -np.pi, step), BEAMS), STRAIGHT, atol=1e-3)


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("count", [55, 271])
def test_directions_that_the_scanner_does_not_cover_read_inf(turn: int, count: int) -> None:
    """270 degrees: the quarter behind is missing, its two edges are not."""
    step = turn * 1.5 * np.pi / (count - 1)
    fitted = fit_scan(scan_in_room(count, -turn * 0.75 * np.pi, step), BEAMS)
    directions = (np.arange(BEAMS) * 5 + 180) % 360 - 180
    covered = abs(directions) <= 135
    np.testing.assert_array_equal(np.isfinite(fitted), covered)
    np.testing.assert_allclose(fitted[covered], STRAIGHT[covered], atol=2.5 * abs(step) / 2 + 1e-4)


def test_readings_that_are_none_count_as_nothing_seen() -> None:
    ranges = STRAIGHT.copy()
    ranges[[0, 3, 5]] = np.nan, 0.0, -1.0
    fitted = fit_scan(Scan(ranges, 0.0, 2 * np.pi / BEAMS), BEAMS)
    assert np.isinf(fitted[[0, 3, 5]]).all() and np.isfinite(np.delete(fitted, [0, 3, 5])).all()


@given(st.sampled_from([36, 72, 180, 360, 500]), st.sampled_from([36, 64, 72]), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_training_reads_recorded_scans_as_perception_reads_live_ones(recorded: int, beams: int, seed: int) -> None:
    """Recorded scans begin straight ahead; where two beams are equally near, either may be taken."""
    ranges = np.random.default_rng(seed).uniform(0.1, 8.0, recorded).astype(np.float32)
    ranges[seed] = np.inf
    live = fit_scan(Scan(ranges, 0.0, 2 * np.pi / recorded), beams)
    learned = fit_scan_columns(ranges[None], beams)[0]
    place = np.arange(beams) * (recorded / beams)
    clear = np.abs(place - np.floor(place) - 0.5) > 1e-6
    np.testing.assert_array_equal(live[clear], learned[clear])


@pytest.mark.parametrize("shape", [(64, 64), (480, 640), (37, 91), (3, 200), (16, 16)])
def test_images_of_any_size_become_their_central_square(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), (200, 0, 0), dtype=np.uint8)
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    image[top : top + side, left : left + side] = (10, 120, 230)
    fitted = fit_image(image, 16)
    assert fitted.shape == (16, 16, 3) and fitted.dtype == np.uint8 and fitted.flags.c_contiguous
    np.testing.assert_array_equal(fitted, np.broadcast_to(np.array([10, 120, 230], np.uint8), (16, 16, 3)))


def test_a_share_of_an_image_is_cut_out_of_its_middle() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:40] = 200
    assert (fit_image(image, 16, 0.5) == 200).all() and fit_image(image, 16, 0.6).min() == 0


@pytest.fixture(scope="module")
def perception() -> Perception:
    torch.manual_seed(0)
    return Perception(WorldModel(SPEC))


def picture(height: int = 16, width: int = 16) -> np.ndarray:
    """A smooth gradient that looks the same at every size."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 0 * x + 90], -1).astype(np.uint8)


def test_a_latent_hardly_depends_on_resolution_and_layout(perception: Perception) -> None:
    first = perception.encode(picture(64, 64), scan_in_room(72, 0.0, np.pi / 36))
    second = perception.encode(picture(256, 256), scan_in_room(360, -np.pi, np.pi / 180))
    other = perception.encode(picture(64, 64)[::-1], scan_in_room(72, 1.0, -np.pi / 36))
    assert first.shape == (8,) and first.dtype == np.float32
    assert np.abs(first - second).max() < 0.1 * np.abs(first - other).max()


@pytest.mark.parametrize("missing", ["image", "scan"])
def test_a_missing_sensor_is_named(missing: str) -> None:
    model = WorldModel(replace(SPEC, inputs=InputSpec(image_size=16, scan_beams=BEAMS)))
    given = {"image": picture(), "scan": scan_in_room(72, 0.0, np.pi / 36), missing: None}
    with pytest.raises(AmiError, match=f"the model needs '{missing}'"):
        Perception(model).encode(**given)  # type: ignore[arg-type]


def test_a_latent_that_is_not_finite_is_refused() -> None:
    model = WorldModel(SPEC)
    next(model.encoder.join.parameters()).data.fill_(torch.nan)
    assert model.goal_head is not None
    next(model.goal_head.parameters()).data.fill_(torch.inf)
    broken = Perception(model)
    with pytest.raises(AmiError, match="latent is not finite"):
        broken.encode(picture(), scan_in_room(72, 0.0, np.pi / 36))
    with pytest.raises(AmiError, match="latent is not finite"):
        broken.encode_goal(picture())


def test_a_goal_picture_needs_no_other_sensor(perception: Perception) -> None:
    latent = perception.encode_goal(picture(48, 64))
    assert latent.shape == (8,) and np.isfinite(latent).all()


def test_what_the_camera_sees_has_a_code_where_the_model_compares_pictures(perception: Perception) -> None:
    assert perception.encode_picture(picture()) is None
    torch.manual_seed(0)
    comparing = Perception(WorldModel(replace(SPEC, sight_code=6)))
    code = comparing.encode_picture(picture())
    assert code is not None and code.shape == (6,) and np.isfinite(code).all()
    assert comparing.encode_picture(None) is None


def test_what_the_camera_makes_of_colours_is_undone_in_what_it_sees_and_not_in_goals() -> None:
    torch.manual_seed(0)
    model = WorldModel(replace(SPEC, sight_code=6)).eval()
    scan, image = scan_in_room(72, 0.0, np.pi / 36), picture()
    plain = Perception(model)
    latent, code, goal = plain.encode(image, scan), plain.encode_picture(image), plain.encode_goal(image)
    tinted = np.rint(image * np.array([0.5, 1.0, 1.0])).astype(np.uint8)
    assert code is not None

    def off() -> np.ndarray:
        seen = plain.encode_picture(tinted)
        assert seen is not None
        return np.array([np.abs(plain.encode(tinted, scan) - latent).max(), np.abs(seen - code).max()])

    before = off()
    # Red was halved, so it is doubled, and middle grey moves by half of the range.
    model.colours[0] = torch.tensor([2.0, 0.5])
    assert (off() < 0.1 * before).all()
    np.testing.assert_array_equal(plain.encode_goal(image), goal)
