"""Hypotheses of where a lost robot is: what looks add, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose
from ami_ros.core.scan_matching import Match
from ami_ros.memory.loop_closure import Spot
from ami_ros.memory.relocalisation import BeliefConfig, PoseBelief

MATCH = Match(np.zeros(3), np.eye(3) * 1e-4, 0.8, 0.02, 0.8, 100)
HERE, TWIN = np.array([1.0, 2.0, 0.5]), np.array([8.0, 2.0, 0.5 - np.pi])
CONFIG = BeliefConfig()


@pytest.fixture
def belief() -> PoseBelief:
    return PoseBelief(CONFIG)


def spot(where: Array, scan: float = 3.0, same: float | None = None) -> Spot:
    return Spot(0, MATCH, where, scan, None if same is None else float(np.log(same / (1.0 - same))))


def drive(belief: PoseBelief, looks: int, here: float, twin: float, step: float = 0.5) -> None:
    """Drives ahead between looks that fit both poses, as well as it is said."""
    for k in range(looks):
        odometry = np.array([step * k, 0.0, 0.0])
        belief.look([spot(compose(HERE, odometry), here), spot(compose(TWIN, odometry), twin)], odometry)


def test_a_look_that_fits_one_pose_by_scan_and_picture_is_enough(belief: PoseBelief) -> None:
    belief.look([spot(HERE, 4.0, 0.97)], np.zeros(3))
    assert belief.mass > CONFIG.sure and belief.best is not None
    assert np.array_equal(belief.best.where, HERE)


def test_a_poor_scan_needs_another_from_farther_on_and_standing_still_adds_nothing(belief: PoseBelief) -> None:
    for _ in range(20):
        belief.look([spot(HERE, 3.0)], np.zeros(3))
    assert 0.9 < belief.mass < CONFIG.sure
    ahead = np.array([2.0, 0.0, 0.0])
    belief.look([spot(compose(HERE, ahead), 3.0)], ahead)
    assert belief.mass > CONFIG.sure


def test_of_two_poses_that_fit_alike_neither_wins_however_far_it_drives(belief: PoseBelief) -> None:
    drive(belief, 40, 3.0, 3.0)
    assert belief.mass == pytest.approx(0.5, abs=0.01) and len(belief.modes) == 2


def test_rooms_that_are_alike_are_not_told_apart_by_noise_however_far_it_drives() -> None:
    """Of log odds that were added up, those of one of two rooms led by 5 after 20 m."""
    claims = 0
    for seed in range(50):
        belief, rng = PoseBelief(CONFIG), np.random.default_rng(seed)
        for k in range(60):
            odometry = np.array([k, 0.0, 0.0])
            here, twin = 3.0 + rng.normal(0.0, 1.0, 2)
            belief.look([spot(compose(HERE, odometry), here), spot(compose(TWIN, odometry), twin)], odometry)
            if belief.is_sure:
                claims += 1
                break
    assert claims <= 2


def test_elsewhere_may_be_alike_and_scans_that_go_on_to_fit_say_less_than_pictures(belief: PoseBelief) -> None:
    for k in range(13):
        odometry = np.array([k, 0.0, 0.0])
        belief.look([spot(compose(HERE, odometry), 9.0)], odometry)
    assert belief.is_sure and belief.masses()[0] > 1e-4 and belief.masses().sum() == pytest.approx(1.0)
    for k in range(13, 20):
        odometry = np.array([k, 0.0, 0.0])
        belief.look([spot(compose(HERE, odometry), 9.0, 0.1)], odometry)
    assert not belief.is_sure, "its pictures show something else"


def test_what_is_a_little_different_adds_up_on_the_way(belief: PoseBelief) -> None:
    drive(belief, 1, 3.0, 1.0)
    assert belief.mass < 0.9
    belief.restart()
    drive(belief, 25, 3.0, 1.0)
    assert belief.mass > CONFIG.sure and belief.best is not None
    assert np.allclose(belief.best.where, compose(HERE, np.array([12.0, 0.0, 0.0])))


def test_pictures_tell_rooms_apart_whose_scans_are_alike(belief: PoseBelief) -> None:
    belief.look([spot(HERE, 4.0, 0.95), spot(TWIN, 4.0, 0.05)], np.zeros(3))
    assert belief.mass > CONFIG.sure and belief.best is not None and belief.best.where is HERE


def test_pictures_say_nothing_of_a_pose_that_scans_refute(belief: PoseBelief) -> None:
    """A pose a metre beside the robot, where walls contradict, sees about the same: pictures had it lead by 7."""
    for k in range(4):
        odometry = np.array([0.0, 0.0, 1.6 * k])
        spots = [spot(compose(HERE, odometry), 4.0), spot(compose(TWIN, odometry), -8.0, 0.95)]
        belief.look(spots, odometry)
    assert belief.mass > 0.97 and belief.modes[1].pictures.weight < 0.5


def test_pictures_that_were_taken_in_other_directions_add_up_and_one_that_cannot_be_compared_takes_nothing_back(
    belief: PoseBelief,
) -> None:
    """Turning on the spot, a robot was found by a picture, and lost again when it looked where none had been taken."""
    for turn, same in ((0.0, 0.8), (0.8, 0.8), (1.6, 0.8), (2.4, None), (3.2, None)):
        odometry = np.array([0.0, 0.0, turn])
        belief.look([spot(compose(HERE, odometry), 3.0, same)], odometry)
    assert belief.mass > CONFIG.sure
    belief.restart()
    for _ in range(5):
        belief.look([spot(HERE, 3.0, 0.8)], np.zeros(3))
    assert belief.mass < CONFIG.sure, "the same picture again says nothing new"


def test_standing_still_the_mean_of_what_looks_say_counts(belief: PoseBelief) -> None:
    """One that fitted worse than those before it lost a robot that had not moved."""
    for scan in (6.0, 6.0, 4.4, 6.0, 4.4):
        belief.look([spot(HERE, scan)], np.zeros(3))
        assert belief.mass > CONFIG.sure
    for _ in range(20):
        belief.look([], np.zeros(3))
    assert belief.mass < 0.5


def test_what_fits_now_and_then_only_is_not_believed(belief: PoseBelief) -> None:
    for k in range(20):
        odometry = np.array([0.5 * k, 0.0, 0.0])
        belief.look([spot(compose(HERE, odometry), 2.0)] if k % 2 == 0 else [], odometry)
    assert belief.mass < 0.5


def test_a_room_that_is_not_in_the_map_fits_where_one_like_it_is_and_pictures_tell(belief: PoseBelief) -> None:
    for k in range(3):
        belief.look([spot(HERE, 9.0 + k, 0.1)], np.zeros(3))
    assert belief.mass < CONFIG.sure
    belief.restart()
    belief.look([spot(HERE, 9.0, 0.5)], np.zeros(3))
    assert belief.mass > CONFIG.sure


def test_a_pose_elsewhere_than_odometry_has_the_robot_begins_with_little(belief: PoseBelief) -> None:
    """One without a camera that was carried is found some metres later all the same."""
    belief.look([spot(TWIN, 5.0, 0.6)], np.zeros(3), lambda where: CONFIG.carried)
    assert belief.mass < CONFIG.sure
    belief.restart()
    belief.look([spot(TWIN, 5.0, 0.6)], np.zeros(3))
    assert belief.mass > 0.99
    belief.restart()
    for k in range(8):
        odometry = np.array([k, 0.0, 0.0])
        belief.look([spot(compose(TWIN, odometry), 7.0)], odometry, lambda where: CONFIG.carried)
        assert belief.is_sure == (k >= 3), k
