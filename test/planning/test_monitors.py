"""What watches a drive: motion and progress, doubt, and who passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import Grid
from ami_ros.behaviour.routing import wall_across
from ami_ros.core.geometry import Array, compose
from ami_ros.core.scan import Scan
from ami_ros.planning.monitors import Doubt, ProgressChecker, ProgressConfig, Yielding, in_the_way
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings
from ami_ros.safety.tracker import without_moving
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.world import People
from ami_ros.simulation.world_file import load_world
from harness.exact_model import SPEC, ArrayOrTensor, ExactModel, latent_of

CONFIG = ProgressConfig()
Track = Callable[[float], tuple[Array, float]]  # time [s] -> odometry (3,), way left [m]


def first_word(track: Track, seconds: float, checker: ProgressChecker | None = None) -> tuple[float, str]:
    """When the checker first calls the robot stuck, and why; the end and "" if it never does."""
    checker = checker or ProgressChecker(CONFIG)
    for stamp in np.arange(0.0, seconds, 0.2):
        if reason := checker.stuck(50.0 + float(stamp), *track(float(stamp))):
            return float(stamp), reason
    return seconds, ""


def pose(x: float, y: float = 0.0, yaw: float = 0.0) -> Array:
    return np.array([x, y, yaw])


def test_a_robot_that_gets_on_is_not_stuck() -> None:
    assert first_word(lambda t: (pose(0.05 * t), 5.0 - 0.05 * t), 60.0)[1] == ""


def test_pushing_at_something_is_noticed() -> None:
    when, reason = first_word(lambda t: (pose(0.0), 2.0), 60.0)
    assert reason.startswith("did not move") and when <= 4.0 + 0.4


def test_trembling_is_no_motion() -> None:
    assert "move" in first_word(lambda t: (pose(0.02 * np.sin(9 * t), yaw=0.1 * np.sin(7 * t)), 2.0), 60.0)[1]


def test_turning_on_the_spot_is_motion_but_not_for_ever() -> None:
    when, reason = first_word(lambda t: (pose(0.0, yaw=(0.5 * t) % 6.0 - 3.0), 2.0), 60.0)
    assert reason.startswith("no progress") and when == pytest.approx(CONFIG.stall_seconds, abs=0.5)


def test_circling_is_noticed() -> None:
    when, reason = first_word(lambda t: (pose(np.cos(t), np.sin(t)), 2.0 + 0.1 * np.sin(t)), 60.0)
    assert reason.startswith("no progress") and when < CONFIG.stall_seconds + 4.0


def test_a_detour_is_forgiven_while_it_is_short() -> None:
    assert first_word(lambda t: (pose(0.3 * t), 3.0 + 0.1 * t if t < 4 else 3.4 - 0.2 * (t - 4)), 20.0)[1] == ""


def test_after_a_reset_it_waits_anew() -> None:
    checker = ProgressChecker(CONFIG)
    stamps = np.arange(0.0, 0.8 * 4.0, 0.2)
    assert not any(checker.stuck(float(t), pose(0.0), 2.0) for t in stamps)
    checker.reset()
    assert not any(checker.stuck(10.0 + float(t), pose(0.0), 2.0) for t in stamps)
    assert checker.stuck(10.0 + 4.0, pose(0.0), 2.0)


# The model is unsure where its predictors disagree more than they usually do, for a while


def test_what_is_usual_raises_no_doubt() -> None:
    doubt, rng = Doubt(ExactModel()), np.random.default_rng(0)
    assert not any(doubt.unsure(0.2 * k, float(d)) for k, d in enumerate(rng.uniform(0.5, 1.2, 400)))


def test_disagreement_far_above_the_usual_does_if_it_lasts() -> None:
    for rate in (5.0, 10.0, 30.0):
        doubt, count = Doubt(ExactModel()), round(10.0 * rate) + 1
        stamps = np.arange(count + 2 * round(rate)) / rate
        assert not any(doubt.unsure(float(stamp), 1.0) for stamp in stamps[:count])
        raised = [stamp for stamp in stamps[count:] if doubt.unsure(float(stamp), 3.0)]
        assert 0.55 - 1e-9 <= raised[0] - stamps[count] <= 0.55 + 1 / rate, rate
        assert not doubt.unsure(stamps[-1] + 1 / rate, 1.0) and not doubt.unsure(stamps[-1] + 2 / rate, 3.0)


def test_before_it_knows_what_is_usual_it_says_nothing() -> None:
    doubt = Doubt(ExactModel())
    assert not any(doubt.unsure(0.2 * k, 100.0 * k) for k in range(int(10.0 / 0.2)))


class Unsure(ExactModel):
    """Unsure of everything that turns."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(SPEC, ensemble=2)

    def disagreement(self, latent: ArrayOrTensor, chunk: ArrayOrTensor, previous: ArrayOrTensor) -> ArrayOrTensor:
        return 0.1 + abs(chunk[..., 1]).mean(-1)


def test_it_asks_the_model_about_the_commands_and_one_without_such_heads_has_no_doubts() -> None:
    here, straight, turn = latent_of(np.zeros(3)), np.tile([0.3, 0.0], (3, 1)), np.tile([0.3, 1.0], (3, 1))
    for model, expected in ((Unsure(), True), (ExactModel(), False)):
        doubt = Doubt(model)
        assert not any(doubt.about(0.2 * k, here, straight, (0.0, 0.0)) for k in range(60))
        assert [doubt.about(0.2 * k, here, turn, (0.0, 0.0)) for k in range(60, 66)][-1] is expected


# Who passes is no wall, and is waited for


ODOMETRY = np.array([3.0, -1.0, 0.7])  # anywhere: things are in odom, scans in base_link


def thing(x: float, y: float, radius: float = 0.3) -> MovingThings:
    """Somebody at a place in base_link."""
    place = compose(ODOMETRY, np.array([x, y, 0.0]))[:2]
    return MovingThings(0.0, (MovingThing(1, place, np.zeros(2), np.eye(4) * 0.01, radius, Kind.PERSON),))


def facing(width: float) -> Scan:
    """A board of that width 1.2 m ahead, else nothing for 5 m."""
    angles = np.linspace(-np.pi, np.pi, 360, endpoint=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        board = 1.2 / np.cos(angles)
        hit = (np.abs(angles) < np.pi / 2) & (np.abs(1.2 * np.tan(angles)) < width / 2)
    return Scan(np.where(hit, board, 5.0).astype(np.float32), -np.pi, 2 * np.pi / 360, max_range=8.0)


def test_a_body_across_the_way_blocks_it_unless_it_is_known_to_move() -> None:
    way, scan = np.array([[0.5, 0.0], [1.0, 0.0], [1.5, 0.0], [2.2, 0.0]]), facing(0.6)
    assert wall_across(way, scan, 3.0) is not None
    assert wall_across(way, without_moving(scan, ODOMETRY, thing(1.25, 0.0)), 3.0) is None


def test_a_wall_behind_or_beside_who_passes_still_blocks() -> None:
    way, scan = np.array([[0.5, 0.0], [1.0, 0.0], [1.5, 0.0], [2.2, 0.0]]), facing(3.0)
    kept = without_moving(scan, ODOMETRY, thing(0.9, 1.0))
    assert wall_across(way, kept, 3.0) is not None
    assert kept is not None and np.isfinite(kept.ranges).sum() > 300


def test_readings_that_are_missing_stay_missing() -> None:
    scan = facing(0.6)
    holes = replace(scan, ranges=np.where(np.arange(360) % 2, np.nan, scan.ranges).astype(np.float32))
    found = without_moving(holes, ODOMETRY, thing(1.25, 0.0))
    assert found is not None and np.isnan(found.ranges[1::2]).all()


@pytest.mark.parametrize(
    "place, there",
    [((0.8, 0.0), True), ((0.8, 0.6), True), ((0.8, 1.2), False), ((-0.8, 0.0), False), ((2.5, 0.0), False)],
)
def test_somebody_is_in_the_way_only_near_ahead(place: tuple[float, float], there: bool) -> None:
    assert in_the_way(thing(*place), ODOMETRY, np.array([[3.0, 0.0]]), 0.18) == there


def test_it_waits_for_somebody_and_not_for_ever() -> None:
    yielding = Yielding()
    assert not yielding.update(0.0, False) and yielding.update(1.0, True)
    assert yielding.update(9.0, True) and not yielding.update(9.1, True)
    assert yielding.somebody and not yielding.update(20.0, False) and yielding.update(21.0, True)


def test_who_passes_is_not_drawn_into_a_map() -> None:
    """So that there is no ghost of them once they have gone."""
    world = replace(load_world("empty"), people=People(1, children=0.0, speed=0.05))
    robot = Loopback(world, robot="turtlebot4", seed=1, noise=SensorNoise(scale=0.0))
    person = robot.moving_truth()[0]
    x, y = person.position
    robot.reset(np.array([x - 0.9, y, 0.0]) if x > 2.0 else np.array([x + 0.9, y, np.pi]))
    seen, odometry = robot.observe(), robot.odometry()[0]
    truth = robot.ground_truth().pose
    c, s = np.cos(odometry[2] - truth[2]), np.sin(odometry[2] - truth[2])
    offset = person.position - truth[:2]
    place = odometry[:2] + np.array([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1]])
    there = MovingThings(0.0, (MovingThing(1, place, np.zeros(2), np.eye(4) * 0.01, 0.3, Kind.PERSON),))
    for things, ghost in ((None, True), (there, False)):
        scan = seen.scan if things is None else without_moving(seen.scan, odometry, things)
        assert scan is not None
        grid = Grid(odometry)
        for _ in range(3):
            grid.add(odometry, scan)
        cells = grid.cells(place + np.random.default_rng(0).uniform(-0.25, 0.25, (400, 2)))
        assert (grid.odds[cells[:, 0], cells[:, 1]] > 0.5).any() == ghost
