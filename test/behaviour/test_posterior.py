"""Where the goal's picture was taken: what memory, looks, looks in vain and aligned pictures make of it together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.behaviour.belief import BeliefConfig
from ami_ros.behaviour.looks import Look
from ami_ros.behaviour.posterior import COMPARED, GoalPosterior, GoalTracker, Likelihoods, TrackerConfig
from ami_ros.core.geometry import Array, compose, relative
from harness.posteriors import BEFORE, FIRST, GOAL, HERE, at, look, looked, posterior


def test_nothing_is_known_before_anything_was_seen() -> None:
    assert posterior((HERE, None)).elsewhere == 1.0


def test_two_spots_that_agree_and_pictures_that_fit_are_an_arrival() -> None:
    made = posterior((BEFORE, look(BEFORE)), (HERE, look(HERE, difference=0.8)))
    assert at(made).probability > BeliefConfig.arrived and made.elsewhere < 0.005


def test_looks_from_one_spot_are_none_however_many() -> None:
    """One look may be mistaken, and the same look again is mistaken likewise."""
    made = posterior((HERE, look(HERE, difference=0.3)), frames=200)
    assert 0.5 < at(made).probability < BeliefConfig.arrived


def test_a_turn_is_no_other_spot() -> None:
    """It changes what is seen, but tells nothing of distances."""
    turned = HERE + [0.0, 0.0, 0.5]
    made = posterior((turned, look(turned)), (HERE, look(HERE, difference=0.3)), frames=50)
    assert at(made).probability < BeliefConfig.arrived


def test_spots_that_have_it_elsewhere_are_none() -> None:
    aside = posterior((BEFORE, look(BEFORE, GOAL + [0.5, 0.0, 0.0])), (HERE, look(HERE, difference=0.3)), frames=20)
    turned = posterior((BEFORE, look(BEFORE, GOAL + [0.0, 0.0, 0.5])), (HERE, look(HERE, difference=0.3)), frames=20)
    assert at(aside).probability < BeliefConfig.arrived and at(turned).probability < BeliefConfig.arrived


def test_what_stays_as_far_off_as_it_was_becomes_unlikely() -> None:
    """As a plain wall does that looks like the goal from everywhere: it was followed for minutes."""
    made, ahead = GoalPosterior(Likelihoods()), np.array([0.7, 0.0, 0.0])
    chances = []
    for step in range(12):
        robot = np.array([0.1 * step, 0.0, 0.0])
        made.look(0.3 * step, robot, Look(ahead, 0.5, 0.8))
        chances.append(max(h.probability for h in made.hypotheses))
    assert chances[-1] < 0.05


def test_all_that_only_looks_alike_is_no_arrival() -> None:
    """A room that is like the goal's looks like it from everywhere; only pictures that fit tell them apart."""
    made = posterior(*((pose, look(pose)) for pose in (FIRST, BEFORE, HERE)), frames=50)
    assert at(made).probability < BeliefConfig.arrived
    looked(made, (HERE, look(HERE, difference=5.0, odds=0.7)))
    assert at(made).probability < 0.1 and made.is_refuted(GOAL)


def test_what_memory_is_sure_of_needs_one_look_from_there() -> None:
    made = GoalPosterior(Likelihoods())
    made.recall(GOAL, share=1.0)
    looked(made, (HERE, look(HERE, difference=0.8)))
    assert at(made).probability > BeliefConfig.arrived
    made = GoalPosterior(Likelihoods())
    made.recall(GOAL, share=0.5)
    looked(made, (HERE, look(HERE, difference=1.4)))
    assert at(made).probability < BeliefConfig.arrived, (
        "where the goal may as well be elsewhere, pictures have to fit better"
    )


def test_memory_that_changes_its_mind_takes_its_evidence_along() -> None:
    made, other = GoalPosterior(Likelihoods()), GOAL + [3.0, 0.0, 0.0]
    made.recall(GOAL, share=1.0)
    made.recall(other, share=1.0)
    made.weigh()
    assert at(made, other).probability > 0.8 and at(made).probability < 0.05
    made.recall(other, share=1.0, is_late=True)
    made.weigh()
    assert at(made, other).probability < 0.7, "nobody asks for what cannot be reached in time"


def test_a_look_in_vain_counts_by_how_near_it_was() -> None:
    made = GoalPosterior(Likelihoods())
    made.recall(GOAL, share=1.0)
    chances = []
    for robot in (GOAL + [-2.5, 0.0, 0.0], GOAL + [-1.0, 0.0, 0.0], GOAL):
        looked(made, (robot, None))
        chances.append(at(made).probability)
    assert chances[0] > 0.8 and chances == sorted(chances, reverse=True) and chances[2] < 0.6
    away = GoalPosterior(Likelihoods())
    away.recall(GOAL, share=1.0)
    looked(away, (GOAL + [0.0, 0.0, math.pi], None))
    assert at(away).probability > 0.8, "the robot looked the other way"


def test_once_something_only_looked_like_the_goal_more_is_asked_of_what_does() -> None:
    """The second room that was alike was claimed by the usual thresholds, for memory had named the first one alone."""
    other = GOAL + [5.0, 0.0, 0.0]
    fits = (BEFORE, look(BEFORE)), (HERE, look(HERE, difference=1.2))
    assert at(posterior(*fits)).probability > BeliefConfig.arrived
    wary = posterior(*((pose + [5.0, 0.0, 0.0], look(pose + [5.0, 0.0, 0.0], other, 6.0)) for pose in (BEFORE, HERE)))
    wary.stood(other, -4.0)
    assert at(looked(wary, *fits)).probability < BeliefConfig.arrived


def test_what_was_refuted_on_the_way_is_taken_back_by_pictures_that_fit() -> None:
    """Of twelve places that were left on the way three lay half a metre from the goal, which was not seen again."""
    made = posterior((BEFORE, look(BEFORE)), (HERE, look(HERE)))
    made.stood(GOAL, Likelihoods().unproven)
    assert made.is_refuted(GOAL)
    looked(made, (HERE, look(HERE, difference=0.5)), frames=20)
    assert not made.is_refuted(GOAL) and at(made).probability > 0.8


def test_what_lies_beside_a_hypothesis_is_the_same_and_what_lies_off_another() -> None:
    made = posterior((HERE, look(HERE)))
    assert made.at(GOAL + [0.3, 0.2, -0.3]) is at(made)
    assert made.at(GOAL + [0.0, 1.0, 0.0]) is None and made.at(GOAL + [0.0, 0.0, 1.0]) is None


def test_all_moves_with_the_map_and_ends_with_odometry() -> None:
    made, correction = posterior((BEFORE, look(BEFORE)), (HERE, look(HERE))), np.array([0.4, -0.3, 0.2])
    before, views = at(made).probability, [(view.at, view.goal) for view in at(made).views]
    made.carry(correction)
    for view, (stood, seen) in zip(at(made, compose(correction, GOAL)).views, views, strict=True):
        assert view.at == pytest.approx(compose(correction, stood)) and view.goal == pytest.approx(
            compose(correction, seen)
        )
    made.weigh()
    assert at(made, compose(correction, GOAL)).probability == pytest.approx(before)
    made.restart()
    assert made.elsewhere == 1.0


@pytest.mark.parametrize(
    ("odds", "error", "least", "most"), [(3.0, 0.1, 0.4, 0.6), (0.5, 0.1, 0.2, 0.35), (0.5, 0.9, 0.1, 0.2)]
)
def test_what_one_spot_says_counts_by_how_exact_and_sure_the_head_is(
    odds: float, error: float, least: float, most: float
) -> None:
    made = posterior((HERE, look(HERE, odds=odds, error=error)))
    assert least < at(made).probability < most


def chance(odds: float) -> float:
    """Of the only hypothesis."""
    return odds / (1 + odds)


def test_frames_of_one_spot_add_up_to_what_one_look_says() -> None:
    weighs = Likelihoods()
    for frames, evidence in [(1, 4 / 3), (2, 8 / 3), (3, 4.0), (9, 4.0)]:
        made = posterior((HERE, look(HERE)), frames=frames)
        expected = 1 / (math.exp(-weighs.seen_prior - evidence) + weighs.alike)
        assert at(made).views[0].evidence == pytest.approx(evidence)
        assert at(made).probability == pytest.approx(chance(expected))
    looked(made, (HERE, look(HERE, odds=0.5, error=0.9)))
    assert at(made).views[0].evidence == pytest.approx(4.0), "a look that says less takes nothing away"


def test_two_spots_add_up_and_one_that_disagrees_counts_against_both() -> None:
    made = posterior((BEFORE, look(BEFORE)), (HERE, look(HERE)))
    assert at(made).looked == pytest.approx(8.0) and at(made).is_corroborated
    aside = posterior((BEFORE, look(BEFORE, GOAL + [0.5, 0.0, 0.0])), (HERE, look(HERE)))
    assert at(aside).looked == pytest.approx(3.0) and not at(aside).is_corroborated
    for k in range(4):
        looked(aside, ((spot := FIRST - [0.4 * k, 0.0, 0.0]), look(spot, GOAL + [0.0, 0.0, 0.5])))
    looked(aside, (HERE, look(HERE)))
    assert at(aside).looked == pytest.approx(2.0), "all that disagree count twice at most"


@pytest.mark.parametrize(
    ("moved", "off", "turned", "agrees"),
    [(0.3, 0.2, 0.0, True), (0.3, 0.25, 0.0, False), (1.0, 0.44, 0.0, True), (0.3, 0.0, 0.24, True),
     (0.3, 0.0, 0.26, False)],
)  # fmt: skip
def test_spots_agree_within_what_depth_is_not_known(moved: float, off: float, turned: float, agrees: bool) -> None:
    behind = HERE - [moved, 0.0, 0.0]
    made = posterior((behind, look(behind, GOAL + [off, 0.0, turned])), (HERE, look(HERE)))
    assert at(made).is_corroborated is agrees


@pytest.mark.parametrize(("apart", "spots"), [(0.24, 1), (0.26, 2)])
def test_spots_begin_a_quarter_of_a_metre_apart(apart: float, spots: int) -> None:
    behind = HERE - [apart, 0.0, 0.0]
    assert len(at(posterior((behind, look(behind)), (HERE, look(HERE)))).views) == spots


def test_looks_in_vain_add_up_to_one_and_are_taken_back_by_looks_that_see() -> None:
    least = Likelihoods().of_miss(relative(GOAL, GOAL))
    for frames, missed in [(1, least / 3), (3, least), (20, least)]:
        made = GoalPosterior(Likelihoods())
        made.recall(GOAL, share=1.0)
        looked(made, (GOAL, None), frames=frames)
        assert at(made).missed == pytest.approx(missed)
    far = GOAL - [1.5, 0.0, 0.0]
    looked(made, (far, None))
    assert at(made).missed == pytest.approx(least), "from farther off a look in vain says less, and takes nothing away"
    looked(made, (HERE, look(HERE)), frames=2)
    assert at(made).missed == pytest.approx(least * (2 / 3) ** 2)


@pytest.mark.parametrize(("off", "turned", "counts"), [(0.14, 0.0, True), (0.16, 0.0, False), (0.1, 0.31, False)])
def test_pictures_that_differ_count_beside_the_place_only(off: float, turned: float, counts: bool) -> None:
    robot = GOAL - [off, 0.0, turned]
    made = posterior((robot, look(robot, difference=9.0, odds=0.5)), frames=1)
    least, _, _ = Likelihoods().checked
    assert at(made).checked == pytest.approx(least / 3 if counts else 0.0)
    assert at(made).is_checked(1.0) is counts
    fits = posterior((robot, look(robot, difference=0.3)), frames=1)
    assert at(fits).checked == pytest.approx(5.4 / 3) and at(fits).is_checked(0.0), "those that fit count from anywhere"


def test_pictures_tell_of_where_the_robot_stands_for_a_moment_and_the_newest_count() -> None:
    made = posterior((HERE, look(HERE, difference=0.3)), frames=1)
    assert at(made).is_checked(1.4) and not at(made).is_checked(1.5)
    doubtful = posterior((HERE, look(HERE, difference=2.0, odds=0.9)), frames=3)
    assert -1 < at(doubtful).checked < 0 and not at(doubtful).is_alike
    doubtful.stood(GOAL, -4.0)
    assert at(doubtful).is_alike
    looked(made, (HERE, look(HERE, difference=9.0, odds=0.5)), frames=1)
    assert at(made).checked == pytest.approx(5.4 / 3 + (-5.0 - 5.4 / 3) / 3)


def test_a_place_is_refuted_by_two_and_a_half_nats() -> None:
    made = posterior((HERE, look(HERE)))
    made.stood(GOAL, -2.5)
    assert not made.is_refuted(GOAL)
    made.stood(GOAL, -0.01)
    assert made.is_refuted(GOAL) and not made.is_refuted(GOAL + [2.0, 0.0, 0.0])


def test_each_place_that_only_looked_like_the_goal_makes_another_one_likelier_to_do_so() -> None:
    weighs, made = Likelihoods(), posterior((HERE, look(HERE)))
    for k in (1, 2):
        robot, other = HERE + [3.0 * k, 0.0, 0.0], GOAL + [3.0 * k, 0.0, 0.0]
        looked(made, (robot, look(robot, other, 6.0, odds=0.5)))
        made.stood(other, -9.0)
    made.stood(GOAL + [0.0, 9.0, 0.0], -9.0)  # where nothing was seen nothing is alike
    robot, fits = HERE - [3.0, 0.0, 0.0], GOAL - [3.0, 0.0, 0.0]  # nor where pictures fit
    looked(made, (robot, look(robot, fits, 0.3)))
    made.stood(fits, -20.0)
    made.weigh()
    odds = [h.probability / made.elsewhere for h in made.hypotheses]
    seen = at(made).looked
    assert odds[0] == pytest.approx(
        1 / (math.exp(-weighs.seen_prior + math.log(3) - seen) + 3 * weighs.alike), rel=1e-3
    )
    refuted = at(made, GOAL + [3.0, 0.0, 0.0])
    seen = refuted.looked
    expected = math.exp(refuted.checked - 9.0) / (math.exp(-weighs.seen_prior + math.log(2) - seen) + 2 * weighs.alike)
    assert odds[1] == pytest.approx(expected, rel=1e-3)


def test_looks_that_erred_by_how_far_off_the_goal_is_are_no_places_that_are_alike() -> None:
    """A narrow camera took its goal for nearer and farther nine times on the way; then it stood there, and left."""
    made = GoalPosterior(Likelihoods())
    for k in range(9):
        robot, ghost = BEFORE - [0.3 * k, 0.0, 0.0], GOAL + [-2.0 - 0.7 * k, 0.0, 0.0]
        looked(made, (robot, look(robot, ghost)))
        made.stuck(ghost)
    looked(made, (BEFORE, look(BEFORE)), (HERE, look(HERE, difference=0.8)))
    assert at(made).probability > BeliefConfig.arrived


def test_what_was_seen_from_several_spots_is_there_although_the_robot_got_stuck() -> None:
    """It got stuck where memory led it, saw its goal from four other spots, and did not drive there again."""
    made = GoalPosterior(Likelihoods())
    made.recall(GOAL, share=0.5)
    made.stuck(GOAL)
    made.weigh()
    assert at(made).probability < 0.05 and made.is_refuted(GOAL)
    made.recall(None, share=0.0)
    looked(made, *((robot, look(robot)) for robot in (BEFORE, BEFORE - [0.3, 0.0, 0.0], BEFORE + [0.0, 0.3, 0.0])))
    assert at(made).probability > 0.8 and not made.is_refuted(GOAL)
    for _ in range(3):
        made.stuck(GOAL)
    made.weigh()
    assert at(made).probability < 0.1 and made.is_refuted(GOAL), "no way leads there"


def test_where_memory_is_sure_to_have_it_the_robot_tries_twice() -> None:
    made, chances = GoalPosterior(Likelihoods()), []
    made.recall(GOAL, share=1.0)
    for _ in range(2):
        made.stuck(GOAL)
        made.weigh()
        chances.append(at(made).probability)
    assert chances[0] > BeliefConfig.worth and chances[1] < BeliefConfig.dropped


def test_a_robot_that_stands_at_the_goal_was_not_kept_from_it() -> None:
    """It got stuck on the way, came by another, stood at its goal, all pictures fitted, and it left."""
    made = posterior((BEFORE, look(BEFORE)))
    made.stuck(GOAL)
    made.weigh()
    assert at(made).unreached == Likelihoods().unreached and at(made).probability < 0.05
    looked(made, (HERE, look(HERE, difference=0.8)))
    assert at(made).hindered == 0.0 and at(made).probability > BeliefConfig.arrived
    made.stood(GOAL, Likelihoods().unproven)
    looked(made, (HERE, look(HERE, difference=0.8)))
    assert at(made).hindered == Likelihoods().unproven, "that it was not sure there stays"


def test_memory_that_is_torn_between_two_places_does_not_rule_out_the_goal() -> None:
    """The robot stood at its goal, all pictures fitted, and it left: memory's doubt, and what had looked like it on the
    way, left too little."""
    made = GoalPosterior(Likelihoods())
    for k in range(10):
        robot = BEFORE + [0.0, 3.0 + 2.0 * k, 0.0]
        looked(made, (robot, look(robot, GOAL + [0.0, 3.0 + 2.0 * k, 0.0], odds=0.5, error=0.9)))
    made.recall(GOAL, 0.4)
    looked(made, *((spot, look(spot, difference=0.5, odds=30.0)) for spot in (BEFORE, HERE)), frames=12)
    assert at(made).rivals == 0.5 and at(made).probability > BeliefConfig.arrived


def test_places_that_memory_has_besides_are_alike_too() -> None:
    made = GoalPosterior(Likelihoods())
    for share, rivals in [(0.9, 0.15), (0.7, 0.3), (0.3, 0.5)]:
        recalled = made.recall(GOAL, share)
        assert recalled is at(made) and recalled.is_recalled
        made.weigh()
        remembered = Likelihoods().of_memory(share, False)
        assert at(made).probability == pytest.approx(chance(1 / (math.exp(-remembered) + rivals)))
    other = GOAL + [5.0, 0.0, 0.0]
    made.recall(other, 0.5)
    looked(made, (HERE, look(HERE)))
    expected = 1 / (math.exp(-Likelihoods().seen_prior - 4.0) + Likelihoods().alike)
    assert at(made).probability / made.elsewhere == pytest.approx(expected), "memory means the other place by that"
    assert made.recall(GOAL, 0.0) is None and made.recall(None, 1.0) is None and not at(made).is_recalled


def test_memory_moves_a_place_that_no_look_has_measured() -> None:
    made, beside = GoalPosterior(Likelihoods()), GOAL + [0.2, 0.0, 0.0]
    made.recall(GOAL, 1.0)
    made.recall(beside, 1.0)
    assert at(made).probability == 0.0, "it was not weighed yet"
    assert len(made.hypotheses) == 1 and at(made).pose == pytest.approx(beside)
    looked(made, (HERE, look(HERE)))
    made.recall(beside, 1.0)
    assert at(made).pose == pytest.approx(GOAL, abs=1e-6)


def test_the_nearest_place_is_meant() -> None:
    made = posterior((HERE, look(HERE)), (HERE, look(HERE, GOAL + [0.9, 0.0, 0.0])))
    assert len(made.hypotheses) == 2
    assert made.at(GOAL + [0.4, 0.0, 0.0]) is made.hypotheses[0]
    assert made.at(GOAL + [0.5, 0.0, 0.0]) is made.hypotheses[1]
    assert made.at(GOAL + [0.0, 0.59, 0.0]) is made.hypotheses[0] and made.at(GOAL - [0.61, 0.0, 0.0]) is None
    assert made.at(GOAL + [0.0, 0.0, 0.59]) is made.hypotheses[0] and made.at(GOAL + [0.0, 0.0, 0.61]) is None


def test_looks_at_a_place_are_kept_for_a_search() -> None:
    tracker = at(posterior((BEFORE, look(BEFORE)), frames=1)).tracker
    kept = GoalTracker(COMPARED)
    kept.add(0.0, BEFORE, relative(BEFORE, GOAL), 0.1)
    beside = GOAL + [0.3, 0.0, 0.0]
    for memory in (None, beside):
        expected, found = kept.estimate(1.0, BEFORE, memory), tracker.estimate(1.0, BEFORE, memory)
        assert found == pytest.approx(expected), "pictures are compared, and memory errs by three decimetres"
    assert tracker.agreeing(14.9) == 1 and tracker.agreeing(15.1) == 0


def test_what_could_not_be_told_apart_is_not_told_apart() -> None:
    """exp overflows beyond 709."""
    made = posterior((HERE, look(HERE)))
    made.stood(GOAL, 1000.0)
    made.stood(GOAL + [5.0, 0.0, 0.0], -1000.0)
    made.weigh()
    assert at(made).probability == pytest.approx(1.0) and at(made, GOAL + [5.0, 0.0, 0.0]).probability == 0.0


# Where the goal is: many sightings and memory, made one


PLACE = np.array([2.0, 1.0, 0.8])
ROBOT = np.array([0.5, 0.2, -0.3])  # the robot in odom


@pytest.fixture
def tracker() -> GoalTracker:
    return GoalTracker()


def believed(tracker: GoalTracker, stamp: float = 0.0, memory: Array | None = None) -> Array:
    """The goal in odom, as the robot at ROBOT believes."""
    seen = tracker.estimate(stamp, ROBOT, memory)
    assert seen is not None
    return compose(ROBOT, seen)


def test_nobody_has_said_anything_yet(tracker: GoalTracker) -> None:
    assert tracker.estimate(0.0, ROBOT, None) is None


def test_noisy_sightings_from_many_places_average_out(tracker: GoalTracker) -> None:
    rng = np.random.default_rng(0)
    for k in range(40):
        odometry = ROBOT + rng.normal(0.0, 0.3, 3)
        tracker.add(0.2 * k, odometry, relative(odometry, PLACE) + rng.normal(0.0, 0.1, 3))
    np.testing.assert_allclose(believed(tracker, 8.0), PLACE, atol=0.08)


def test_outliers_are_left_out(tracker: GoalTracker) -> None:
    for k in range(20):
        wrong = k % 3 == 0
        tracker.add(0.2 * k, ROBOT, relative(ROBOT, PLACE) + ([1.5, -1.0, 1.0] if wrong else [0.0, 0.0, 0.0]))
    np.testing.assert_allclose(believed(tracker, 4.0), PLACE, atol=1e-6)


def test_old_sightings_fade(tracker: GoalTracker) -> None:
    """The goal seems to have moved: odometry drifted."""
    drifted = PLACE + [0.3, 0.0, 0.0]
    for k in range(10):
        tracker.add(0.1 * k, ROBOT, relative(ROBOT, PLACE))
    for k in range(10):
        tracker.add(40.0 + 0.1 * k, ROBOT, relative(ROBOT, drifted))
    np.testing.assert_allclose(believed(tracker, 40.0 + 1.0), drifted, atol=0.02)


def test_a_sighting_nearby_counts_more_than_one_from_afar(tracker: GoalTracker) -> None:
    near, far = compose(PLACE, [-0.2, 0.0, 0.0]), compose(PLACE, [-3.0, 0.0, 0.0])
    tracker.add(0.0, far, relative(far, PLACE + [0.2, 0.0, 0.0]))
    tracker.add(0.0, near, relative(near, PLACE))
    assert np.hypot(*(believed(tracker) - PLACE)[:2]) < 0.05


def test_who_expects_to_be_right_counts_more(tracker: GoalTracker) -> None:
    tracker.add(0.0, ROBOT, relative(ROBOT, PLACE + [0.2, 0.0, 0.0]), 0.2)
    tracker.add(0.0, ROBOT, relative(ROBOT, PLACE), 0.05)
    assert np.hypot(*(believed(tracker) - PLACE)[:2]) < 0.03


def test_memory_is_believed_when_it_alone_speaks_and_outvoted_later(tracker: GoalTracker) -> None:
    memory = PLACE + [1.5, 0.0, 0.0]
    np.testing.assert_allclose(believed(tracker, 0.0, memory), memory, atol=1e-9)
    close = compose(PLACE, [-0.4, 0.0, 0.0])
    for k in range(20):
        tracker.add(0.2 * k, close, relative(close, PLACE))
    np.testing.assert_allclose(believed(tracker, 4.0, memory), PLACE, atol=1e-6)


def test_memory_and_sightings_that_agree_are_averaged(tracker: GoalTracker) -> None:
    tracker.add(0.0, ROBOT, relative(ROBOT, PLACE))
    x = believed(tracker, 0.0, PLACE + [0.2, 0.0, 0.0])[0]
    assert PLACE[0] < x < PLACE[0] + 0.2


def test_many_sightings_that_err_alike_do_not_outweigh_memory(tracker: GoalTracker) -> None:
    """As before a blank wall: whatever is seen from there is off to the same side."""
    near = compose(PLACE, [-0.2, 0.0, 0.0])
    for k in range(40):
        tracker.add(0.2 * k, near, relative(near, PLACE + [0.0, 0.3, 0.0]), 0.09)
    off = believed(tracker, 8.0, PLACE)[1] - PLACE[1]
    assert 0.03 < off < 0.12
    tracker.add(8.0, near, relative(near, PLACE + [0.0, 0.3, 0.0]), 0.02)  # one that is surer of itself
    assert believed(tracker, 8.0, PLACE)[1] - PLACE[1] > 2 * off


def test_forgetting_drops_all_sightings(tracker: GoalTracker) -> None:
    tracker.add(0.0, ROBOT, relative(ROBOT, PLACE))
    tracker.forget()
    assert tracker.estimate(0.0, ROBOT, None) is None


@pytest.mark.parametrize("compares", [True, False])
def test_where_pictures_are_compared_a_few_looks_from_the_goal_outweigh_many_from_afar(compares: bool) -> None:
    """From afar they see it too near by a third, and from aside beside it."""
    tracker, aside = GoalTracker(COMPARED if compares else TrackerConfig()), compose(PLACE, [-0.05, 0.0, -1.0])
    for k in range(40):
        far = compose(PLACE, [-1.2 + 0.02 * k, 0.0, 0.0])
        tracker.add(0.1 * k, far, relative(far, PLACE) * [0.7, 1.0, 1.0], expected_error=0.15)
    for k in range(10):
        tracker.add(4.0 + 0.1 * k, aside, relative(aside, PLACE + [0.0, 0.15, 0.0]), expected_error=0.15)
        near = compose(PLACE, [-0.1, 0.0, 0.0])
        tracker.add(4.0 + 0.1 * k, near, relative(near, PLACE), expected_error=0.15)
    assert (np.hypot(*(believed(tracker, 5.0) - PLACE)[:2]) < 0.1) == compares


def test_sightings_whose_error_is_known_better_outweigh_those_that_expect_more(tracker: GoalTracker) -> None:
    """Beside a goal, pictures that are aligned tell its place to centimetres, others to a decimetre."""
    seen = relative(ROBOT, PLACE)
    for k in range(10):
        tracker.add(0.1 * k, ROBOT, seen + [0.1, 0.0, 0.0], expected_error=0.2)
    tracker.add(1.0, ROBOT, seen, expected_error=0.2, sigma=0.02)
    assert np.hypot(*(believed(tracker, 1.0) - PLACE)[:2]) < 0.01
