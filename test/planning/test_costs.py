"""Each cost alone: what it likes and what it does not; which there are at a moment, and which of them decided."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.config import from_mapping
from ami_ros.core.geometry import Disc, transform_points
from ami_ros.core.scan import Scan, scan_points
from ami_ros.planning.costs import (
    BUILT_IN,
    Costs,
    CostsConfig,
    GoalConfig,
    KeepAway,
    KeepAwayConfig,
    LatentGoal,
    LocalMap,
    Obstacles,
    ObstaclesConfig,
    People,
    PeopleConfig,
    PoseGoal,
    Smoothness,
    SmoothnessConfig,
    cost_shares,
    deciding,
    times,
)
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Futures, Scene, Target
from ami_ros.planning.scan_geometry import free_range
from ami_ros.safety.moving_things import Forecast
from ami_ros.simulation.floor_plan import FloorPlan, obstacles_of
from ami_ros.world_model.layers import Floats
from harness.exact_model import ExactModel, latent_of

from .conftest import NOTHING, robot_at, room_with_box, scan_of_points

SCALE = np.array([0.5, 1.5], np.float32)
NEAR = GoalConfig(weight=1.0, path=0.0, heading=0.0)
MARGIN = ObstaclesConfig(weight=1.0, margin=0.15)
STEPS = 4


def futures(poses: list[list[list[float]]]) -> Futures:
    """Futures that pass these poses (batch, steps, 3), seen by exact latents from the origin."""
    p = np.array(poses, np.float32)
    still, before = np.zeros((*p.shape[:2], 2), np.float32), np.zeros(2, np.float32)
    return Futures(still, before, latent_of(p), p, latent_of([0.0, 0.0, 0.0]))


def straight_to(*ends: tuple[float, float, float]) -> Futures:
    """Futures on straight lines from the origin, at the last step at each of `ends`."""
    return futures([[[k / STEPS * v for v in end] for k in range(1, STEPS + 1)] for end in ends])


def commanded(*commands: Command, previous: Command = (0.0, 0.0)) -> Futures:
    """Futures with one constant command each."""
    values, before = np.array(commands, np.float32)[:, None].repeat(STEPS, 1), np.array(previous, np.float32)
    return replace(straight_to(*[(0.0, 0.0, 0.0)] * len(commands)), commands=values, previous=before)


@pytest.mark.parametrize("kind", ["latent", "pose"])
def test_goals_cost_the_distance_that_is_left(model: ExactModel, kind: str) -> None:
    goal = [1.0, 0.5, 0.0]
    cost = (
        LatentGoal(model.relative_pose, latent_of(goal), NEAR)
        if kind == "latent"
        else PoseGoal(np.array(goal, np.float32), NEAR)
    )
    found = cost(straight_to((1.0, 0.5, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0), (1.0, 0.5, 3.0)))
    np.testing.assert_allclose(found, [0.0, 1.0, 1.25**0.5, 0.0], atol=2e-3)


def test_both_goals_agree_where_latents_are_exact(model: ExactModel) -> None:
    goal = [0.7, -0.4, 1.2]
    config = GoalConfig(weight=2.0, path=0.5, heading=0.3)
    by_latent = LatentGoal(model.relative_pose, latent_of(goal), config)
    by_pose = PoseGoal(np.array(goal, np.float32), config)
    some = straight_to((0.5, 0.0, 0.3), (0.7, -0.4, 1.2), (-1.0, 1.0, -3.0))
    np.testing.assert_allclose(by_latent(some), by_pose(some), atol=1e-3, rtol=1e-3)


def test_the_weights_of_a_goal_each_do_their_part() -> None:
    def goal(futures: Futures, weight: float = 1.0, heading: float = 0.0, path: float = 0.0) -> Floats:
        config = GoalConfig(weight=weight, heading=heading, path=path)
        return PoseGoal(np.array([1.0, 0.0, 0.0], np.float32), config)(futures)

    aside, turned = straight_to((0.5, 0.0, 0.0)), straight_to((1.0, 0.0, 1.0))
    np.testing.assert_allclose(goal(aside, weight=3.0), 3 * goal(aside), rtol=1e-6)
    assert goal(turned)[0] < 2e-3 < 0.2 < goal(turned, heading=0.3)[0] < 0.3
    late, early = futures([[[0.0] * 3, [0.0] * 3, [1.0, 0, 0]]]), futures([[[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]]])
    assert abs(goal(late) - goal(early))[0] < 1e-6
    assert goal(late, path=0.5) > goal(early, path=0.5) + 0.3


def test_a_path_counts_by_its_end_and_by_its_mean() -> None:
    found = PoseGoal(np.zeros(3, np.float32), replace(NEAR, path=0.5))(
        futures([[[3.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    )
    np.testing.assert_allclose(found, [2.0], rtol=1e-5)


# Obstacles


def wall(x: float) -> LocalMap:
    """A wall across the way, `x` [m] ahead."""
    return LocalMap(scan_of_points(np.column_stack([np.full(61, x), np.linspace(-1.5, 1.5, 61)])))


def obstacles(x: float) -> Obstacles:
    return Obstacles(wall(x), Disc(0.2), MARGIN)


def test_what_keeps_its_distance_costs_nothing() -> None:
    assert obstacles(1.5)(straight_to((1.0, 0.0, 0.0)))[0] == 0.0
    assert Obstacles(LocalMap(NOTHING), Disc(0.2), MARGIN)(straight_to((2.0, 0.0, 0.0)))[0] == 0.0


def test_the_nearer_to_a_wall_the_worse_and_touching_it_is_worst() -> None:
    costs = obstacles(1.5)(straight_to((1.0, 0.0, 0.0), (1.22, 0.0, 0.0), (1.25, 0.0, 0.0), (1.4, 0.0, 0.0)))
    assert 0 == costs[0] < costs[1] < costs[2] < 1.0 < 2.0 < costs[3]


def test_jumping_over_a_wall_between_two_steps_is_seen() -> None:
    """At each step the robot is clear of the wall, but not halfway between."""
    beyond = futures([[[0.5, 0.0, 0.0], [1.5, 0.0, 0.0]]])
    assert obstacles(1.0)(beyond)[0] > 1.0


def test_a_robot_that_is_longer_behind_may_come_nearer_with_its_front_but_not_turn_there() -> None:
    long_behind = Obstacles(wall(1.5), Disc(0.2, -0.1), MARGIN)
    front, rear = straight_to((1.2, 0.0, 0.0)), straight_to((1.2, 0.0, np.pi))
    assert long_behind(front)[0] == 0.0 < obstacles(1.5)(front)[0] < long_behind(rear)[0]


def test_a_robot_that_stands_too_close_is_drawn_away() -> None:
    """As after a collision: everything is too close, but leaving is better than staying, and staying than pushing."""
    pushing, staying, leaving = obstacles(0.19)(straight_to((0.15, 0.0, 0.0), (0.0, 0.0, 0.0), (-0.3, 0.0, 0.0)))
    assert leaving < staying < pushing


# Smoothness


def test_standing_still_is_free_and_everything_else_is_not() -> None:
    cost = Smoothness(SCALE, SmoothnessConfig(change=0.1, reverse=0.1, effort=0.1))
    still, forward, turning, back = cost(commanded((0.0, 0.0), (0.3, 0.0), (0.0, 0.9), (-0.3, 0.0)))
    assert still == 0 and forward > 0 and turning > 0 and back > forward


@pytest.mark.parametrize(
    ("only", "cheap", "dear"),
    [
        ("change", (0.4, 0.0), (0.1, 0.0)),  # goes on as before
        ("reverse", (0.4, 1.0), (-0.1, 0.0)),
        ("effort", (0.1, 0.0), (0.4, 1.0)),
    ],
)
def test_each_weight_of_smoothness_alone(only: str, cheap: tuple[float, float], dear: tuple[float, float]) -> None:
    cost = Smoothness(SCALE, from_mapping(SmoothnessConfig, {"change": 0.0, "reverse": 0.0, "effort": 0.0, only: 1.0}))
    found = cost(commanded(cheap, dear, previous=(0.4, 0.0)))
    assert found[0] < found[1]
    assert (Smoothness(SCALE, SmoothnessConfig(weight=0.0))(commanded(cheap, dear)) == 0).all()


# Places to keep away from


def test_a_place_to_keep_away_from_costs_the_more_the_deeper_the_path_goes_into_it() -> None:
    cost = KeepAway(np.array([[1.0, 0.0, 0.3]], np.float32), KeepAwayConfig(weight=1.0, margin=0.2))
    clear, close, edge, within = cost(straight_to((0.4, 0.0, 0.0), (0.55, 0.0, 0.0), (0.65, 0.0, 0.0), (1.0, 0.0, 0.0)))
    assert clear == 0 < close < edge < 1.0 < 4.0 < within


def test_passing_through_a_small_place_between_two_steps_is_seen() -> None:
    cost = KeepAway(np.array([[0.75, 0.0, 0.1]], np.float32), KeepAwayConfig(weight=1.0, margin=0.05))
    assert cost(futures([[[0.5, 0.0, 0.0], [1.0, 0.0, 0.0]]]))[0] > 1.0


def test_of_several_places_each_counts() -> None:
    cost = KeepAway(np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]], np.float32), KeepAwayConfig(weight=1.0, margin=0.1))
    first, second, neither = cost(straight_to((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)))
    assert first > 1.0 and second > 1.0 and neither == 0


def test_a_robot_inside_such_a_place_is_drawn_out() -> None:
    cost = KeepAway(np.array([[0.1, 0.0, 0.4]], np.float32), KeepAwayConfig(weight=1.0, margin=0.2))
    deeper, staying, leaving = cost(straight_to((0.1, 0.0, 0.0), (0.0, 0.0, 0.0), (-0.8, 0.0, 0.0)))
    assert leaving < staying < deeper


def test_smoothness_dislikes_changes_of_the_sideways_part() -> None:
    cost = Smoothness(np.array([0.4, 1.4, 0.3], np.float32), SmoothnessConfig())
    steady = commanded((0.0, 0.0, 0.3), previous=(0.0, 0.0, 0.3))
    fresh = commanded((0.0, 0.0, 0.3), previous=(0.0, 0.0, 0.0))
    still = commanded((0.0, 0.0, 0.0), previous=(0.0, 0.0, 0.0))
    assert cost(fresh)[0] > cost(steady)[0] > cost(still)[0] == 0.0


# The cost of being where others may be


PEOPLE_STEPS, DURATION = 4, 0.6
CONFIG = PeopleConfig()


def forecast(start: tuple[float, float], velocity: tuple[float, float], deviation: float = 0.1) -> Forecast:
    """Of one who goes on from `start` at `velocity`."""
    seconds = times(PEOPLE_STEPS, DURATION)
    positions = np.array(start) + seconds[:, None] * np.array(velocity)
    speed = float(np.hypot(*velocity))
    return Forecast(
        seconds, positions[None], np.full((1, len(seconds)), deviation), np.array([np.arctan2(*velocity[::-1])]),
        np.array([speed]), np.array([0.3]),
    )  # fmt: skip


def cost_of(found: Forecast | None, model: ExactModel, config: PeopleConfig = CONFIG) -> People:
    scene = Scene(model, Kinematics(), Disc(0.18), Target(None, np.zeros(3), True), forecast=found)
    cost = People.build(config, scene)
    assert cost is not None
    return cost


def driving(*speeds: float) -> Futures:
    """Futures that drive straight on at `speeds` [m/s]."""
    ends = DURATION * np.arange(1, PEOPLE_STEPS + 1)
    poses = np.zeros((len(speeds), PEOPLE_STEPS, 3), np.float32)
    poses[..., 0] = np.array(speeds)[:, None] * ends
    none = np.zeros((len(speeds), PEOPLE_STEPS, 2), np.float32)
    return Futures(none, none[0, 0], none, poses, none[0, 0])


def test_a_robot_waits_for_who_crosses_rather_than_meets_them(model: ExactModel) -> None:
    cost = cost_of(forecast((0.6, -1.3), (0.0, 1.0)), model)  # on the robot's way after 1.3 s
    stands, meets = cost(driving(0.0, 0.45))
    assert stands + 2.0 < meets


def test_who_has_gone_is_no_longer_where_they_were(model: ExactModel) -> None:
    leaves = cost_of(forecast((0.8, 0.0), (1.0, 0.0)), model)(driving(0.4))[0]
    comes = cost_of(forecast((0.8, 0.0), (-1.0, 0.0)), model)(driving(0.4))[0]
    assert leaves < 0.5 < 3.0 < comes


def test_it_costs_more_to_pass_before_somebody_than_behind(model: ExactModel) -> None:
    towards = cost_of(forecast((1.2, 0.9), (-0.3, 0.0)), model)(driving(0.0))[0]
    away = cost_of(forecast((1.2, 0.9), (0.3, 0.0)), model)(driving(0.0))[0]
    assert away < towards


def test_who_comes_straight_at_it_is_fled_from_although_they_are_faster(model: ExactModel) -> None:
    cost = cost_of(forecast((0.9, 0.0), (-1.0, 0.0)), model)
    stands, flees, faster, meets = cost(driving(0.0, -0.15, -0.3, 0.2))
    assert faster + 0.3 < flees and flees + 0.3 < stands < meets


def test_a_wide_doubt_makes_a_certain_touch_less_certain_and_a_miss_less_sure(model: ExactModel) -> None:
    def at(start: tuple[float, float], deviation: float) -> float:
        config = PeopleConfig(weight=0.0)
        return float(cost_of(forecast(start, (0.0, 0.3), deviation), model, config)(driving(0.0))[0])

    assert at((0.2, -0.4), 0.05) == pytest.approx(CONFIG.contact, rel=0.02) and (
        at((0.2, -0.4), 0.8) < CONFIG.contact / 2
    )
    assert at((1.5, -0.4), 0.05) < 0.01 < at((1.5, -0.4), 0.8)


def test_nothing_that_moves_near_by_is_no_cost(model: ExactModel) -> None:
    target = Target(None, np.zeros(3), True)
    for nobody in (None, forecast((9.0, 0.0), (1.0, 0.0))):
        assert People.build(CONFIG, Scene(model, Kinematics(), Disc(0.18), target, forecast=nobody)) is None


def test_a_shorter_horizon_weighs_its_own_moments(model: ExactModel) -> None:
    cost, whole = cost_of(forecast((0.6, -1.3), (0.0, 1.0)), model), driving(0.45)
    short = Futures(whole.commands[:, :1], whole.previous, whole.latents[:, :1], whole.poses[:, :1], whole.start)
    assert cost(short)[0] < cost(whole)[0]  # the meeting is later


# Which costs there are at a moment: those that are enabled and have something to say


GOAL = np.array([1.0, 0.3, 0.5])
HERE = latent_of([0.0, 0.0, 0.0])
EVERYTHING = {name: {"enabled": True} for name in BUILT_IN}


@pytest.fixture(scope="module")
def model() -> ExactModel:
    return ExactModel()


def scene(model: ExactModel) -> Scene:
    """A wall ahead, a goal before it, a place to keep away from beside the way, and somebody who crosses it."""
    wall = scan_of_points(np.column_stack([np.full(41, 1.2), np.linspace(-1.0, 1.0, 41)]))
    target = Target(latent_of(GOAL), GOAL, True)
    seconds = times(3, model.spec.step_duration)
    walker = Forecast(
        seconds, np.array([[0.9, -0.5]]) + seconds[None, :, None] * [0.0, 0.4], np.full((1, 6), 0.2),
        np.array([np.pi / 2]), np.array([0.4]), np.array([0.3]),
    )  # fmt: skip
    return Scene(model, Kinematics(), Disc(0.18), target, wall, np.array([[0.5, 0.2, 0.1]]), walker)


def fast_ahead() -> Futures:
    """One future that every cost has something against."""
    poses = np.array([[[0.3, 0.0, 0.0], [0.6, 0.1, 0.3], [1.0, 0.2, 0.4]]], np.float32)
    commands = np.array([[[0.4, 0.0], [0.4, 1.4], [0.4, -1.4]]], np.float32)
    return Futures(commands, np.zeros(2, np.float32), latent_of(poses), poses, HERE)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_cost_counts_by_its_weight(model: ExactModel, name: str) -> None:
    once, thrice = (
        Costs(from_mapping(CostsConfig, {name: {"enabled": True, "weight": weight}})).at(scene(model))[name](
            fast_ahead()
        )
        for weight in (1.0, 3.0)
    )
    assert once.shape == (1,) and once[0] > 0
    if name in ("obstacles", "keep_away", "people"):  # touching has a price of its own
        assert thrice > once
    else:
        np.testing.assert_allclose(thrice, 3 * once, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_disabled_cost_is_not_there(model: ExactModel, name: str) -> None:
    all_but_one = from_mapping(CostsConfig, {**EVERYTHING, name: {"enabled": False}})
    assert set(Costs(all_but_one).at(scene(model))) == set(BUILT_IN) - {name}


def test_costs_that_know_nothing_of_the_moment_keep_silent(model: ExactModel) -> None:
    costs = Costs(from_mapping(CostsConfig, EVERYTHING))
    blind = Scene(model, Kinematics(), Disc(0.18), Target(latent_of(GOAL), None, True))
    assert set(costs.at(blind)) == {
        "latent_goal", "smoothness"
    }  # fmt: skip


def test_every_cost_of_the_package_has_its_group_of_parameters() -> None:
    assert {field.name for field in fields(CostsConfig)} == {*BUILT_IN, "plugins"}


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@pytest.mark.parametrize("middle", [0.0, -0.1])
def test_every_cost_is_in_single_precision(model: ExactModel, name: str, middle: float) -> None:
    """Of futures all over the place, into the wall as well, and of some that are not finite."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0.4, 0.6, (200, 3, 3)).astype(np.float32)
    poses[::50, 1], poses[1::50, 2, 1] = np.nan, np.inf
    commands = rng.uniform(-1.0, 1.0, (200, 3, 2)).astype(np.float32)
    futures = Futures(commands, np.array([0.2, -0.3], np.float32), latent_of(poses), poses, HERE)
    moment = replace(scene(model), disc=Disc(0.18, middle))
    cost = Costs(from_mapping(CostsConfig, EVERYTHING)).at(moment)[name]
    with np.errstate(invalid="ignore"):
        by_arrays = cost(futures)
    assert by_arrays.dtype == np.float32
    assert by_arrays.shape == (200,) and len(np.unique(by_arrays.round(3))) > 20


# Which cost decided


NAMES = ["goal", "obstacles", "effort"]


def test_the_cost_that_kept_the_robot_from_the_shortest_way_decided() -> None:
    """The chosen detour is 0.5 m longer; straight on is what the obstacle forbids."""
    detour, straight = np.array([1.5, 0.0, 0.1], np.float32), np.array([[1.0], [5.0], [0.1]], np.float32)
    shares = cost_shares(NAMES, detour, straight)
    assert [s.name for s in shares] == NAMES and deciding(shares) == "obstacles"
    assert {s.name: round(s.pull, 3) for s in shares} == {"goal": 0.0, "obstacles": 0.5, "effort": 0.0}
    assert [round(s.value, 3) for s in shares] == [1.5, 0.0, 0.1]


def test_if_the_choice_would_have_been_the_same_anyhow_none_decided() -> None:
    shares = cost_shares(NAMES, np.array([1.0, 0.0, 0.0], np.float32), np.array([[2.0], [1.0], [1.0]], np.float32))
    assert deciding(shares) == "" and all(s.pull == 0 for s in shares)
    assert deciding(()) == ""


def test_futures_that_are_not_finite_are_no_alternative() -> None:
    others = np.array([[-np.inf, 9.0], [np.nan, 0.0], [0.0, 0.0]], np.float32)
    shares = cost_shares(NAMES, np.array([1.0, 0.0, 0.0], np.float32), others)
    assert [s.pull for s in shares] == [0.0, 0.0, 0.0]


# The local map and the geometry of scans, against the floor plan that was scanned


@pytest.mark.parametrize("pose", [(2.0, 2.0, 0.3), (0.6, 3.2, -2.0), (3.0, 0.7, 1.5)])
def test_clearance_is_that_of_the_room(pose: tuple[float, float, float]) -> None:
    robot = robot_at(*pose)
    field = LocalMap(robot.observe().scan)
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (500, 2))
    world = transform_points(np.array(pose), points)
    inside = ((world > 0.1) & (world < 3.9)).all(1)
    truth = FloorPlan(obstacles_of(robot.world, {})).clearance(world[inside])
    found = field.clearance(points[inside].astype(np.float32))
    assert found.dtype == np.float32
    near = truth < 1.0
    np.testing.assert_allclose(found[near], truth[near], atol=0.09)
    assert found[~near].min() > 0.9


def test_clearance_knows_the_near_side_of_a_box() -> None:
    robot = robot_at(1.0, 2.0, 0.0, room_with_box(2.0, 2.0))
    field = LocalMap(robot.observe().scan)
    ahead = np.array([[0.0, 0.0], [0.3, 0.0], [0.6, 0.0], [0.69, 0.0]], np.float32)
    np.testing.assert_allclose(field.clearance(ahead), [0.7, 0.4, 0.1, 0.01], atol=0.06)


def test_walls_have_no_holes_between_the_beams() -> None:
    """At 2 m two beams are 17 cm apart."""
    field = LocalMap(robot_at(2.0, 2.0, 0.0).observe().scan)
    along = np.stack([np.full(200, 1.95), np.linspace(-1.5, 1.5, 200)], 1).astype(np.float32)
    assert field.clearance(along).max() < 0.1


def test_two_things_apart_are_not_joined_by_a_wall() -> None:
    field = LocalMap(scan_of_points(np.array([[1.0, -0.5], [1.0, 0.5]])))
    assert field.clearance(np.array([[1.0, 0.0]], np.float32))[0] == pytest.approx(0.5, abs=0.06)


def test_where_nothing_was_seen_it_is_free() -> None:
    points = np.array([[0.0, 0.0], [2.0, -2.0], [50.0, 0.0]], np.float32)
    assert (LocalMap(NOTHING).clearance(points) >= LocalMap(NOTHING).half_size).all()
    field = LocalMap(scan_of_points(np.array([[1.0, 0.0]])))
    assert field.clearance(np.array([[0.0, 9.0]], np.float32))[0] >= 2.0


def test_clearances_come_in_the_shape_of_the_points() -> None:
    assert LocalMap(NOTHING).clearance(np.zeros((5, 7, 2), np.float32)).shape == (5, 7)


def test_points_that_are_none_count_as_free_and_nothing_warns() -> None:
    field = LocalMap(scan_of_points(np.array([[1.0, 0.0]])))
    points = np.array([[np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0], [0.0, -np.inf], [1.0, 0.0]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = field.clearance(points)
    np.testing.assert_allclose(found, [field.half_size] * 4 + [0.0], atol=0.05)


def test_readings_that_are_none_are_no_points() -> None:
    ranges = np.array([1.0, np.inf, np.nan, 0.0, -1.0, 5.0, 2.0], np.float32)
    points = scan_points(Scan(ranges, 0.0, np.pi / 2), most=3.0)
    np.testing.assert_allclose(points, [[1.0, 0.0], [-2.0, 0.0]], atol=1e-6)
    assert np.isfinite(LocalMap(Scan(np.full(8, np.nan, np.float32), 0.0, np.pi / 4)).field).all()


def test_the_free_range_is_the_distance_to_what_stands_in_the_corridor() -> None:
    scan = scan_of_points(np.array([[1.5, 0.05], [1.0, 0.4], [-0.7, 0.0], [0.0, 2.0]]))
    assert free_range(scan, 0.0, 0.2) == pytest.approx(1.5, abs=0.02)
    assert free_range(scan, 0.0, 0.5) == pytest.approx(1.0, abs=0.02)
    assert free_range(scan, np.pi, 0.2) == pytest.approx(0.7, abs=0.02)
    assert free_range(scan, np.pi / 2, 0.2) == pytest.approx(2.0, abs=0.02)
    assert free_range(scan, -np.pi / 2, 0.2) == free_range(NOTHING, 0.0, 0.2) == 8.0


def test_what_is_seen_lies_where_it_is_and_not_where_the_scanner_sits() -> None:
    ranges = np.full(72, np.inf, np.float32)
    ranges[[17, 18, 19]] = 1.0  # to the left of a scanner that sits half a metre ahead
    scan = Scan(ranges, 0.0, np.pi / 36, origin=(0.5, 0.0))
    np.testing.assert_allclose(scan_points(scan, 3.0)[1], [0.5, 1.0], atol=1e-6)
    near, far = LocalMap(scan).clearance(np.array([[0.5, 1.0], [0.0, 1.0]], np.float32))
    assert near < 0.06 and far == pytest.approx(0.41, abs=0.06)
    assert free_range(scan, np.pi / 2, 0.2) == 8.0 and free_range(scan, np.arctan2(1.0, 0.5), 0.2) < 1.2
