"""Configuration of exploring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExplorationConfig:
    """Which spots are new or in doubt, how far to look, and when to go on."""

    known: float = 0.9  # [m] from a place within which a spot counts as known; smaller explores more finely
    newest: float = 2.0  # [m] from all places beyond which a spot is no newer; larger leads away sooner
    news_worth: float = 1.5  # [m/m] worth of a spot that is farther from all places; larger: longer legs
    look_apart: float = 1.5  # [m] between spots from which it looks all round; larger: faster, fewer views; 0: never
    coarse: float = 2.0  # factor on `known` and `look_apart` at first, so that it sees all rooms; 1: no such pass
    fine: float = 0.6  # factor on them at last, while there is time; 1: no such pass
    unseen: float = 0.35  # share of unseen directions nearby at which it looks around; larger: less often
    sight: float = 2.4  # [m] of a leg, at most; larger stops less often, and replans less
    measured: bool = True  # a sensor measures scans; false: guessed from pictures, and what is far counts for less
    robot_radius: float = 0.18  # [m] of the disc that holds the robot; larger: wider gaps
    turn_cost: float = 0.5  # [m/rad] of turning towards a spot; larger goes straight on
    doubt_worth: float = 2.0  # [m] of detour for a spot where the model is twice as unsure as usual; 0: none
    doubtful: float = 1.5  # relative doubt at which a known place is visited again; larger: fewer visits
    doubt_apart: float = 1.5  # [m] between such visits; larger: fewer
    coast: float = 0.0  # [s] times the speed is where it looks around, ahead: larger: it does not roll past that
    replan_period: float = 1.5  # [s] between looks for the way on the newest map; larger: less work
    stuck: float = 12.0  # [s] without getting nearer to a spot, after which it is left for another one
    passed: float = 0.5  # [m] from the end of a leg at which the next leg begins; larger cuts corners
    same: float = 0.3  # [m] between the ends of two legs that count as one; larger changes its mind less often
    apart: float = 0.5  # [m] around a spot that was not reached within which no other is tried; larger: fewer tries
    leg_seconds: float = 25.0  # [s] for a leg, at most
    far_seconds: float = 90.0  # [s] to reach a remembered place, or the way back, at most
    patience: float = 60.0  # [s] for memory to localise the robot before exploring ends
    stay: float = 2.0  # [s] of being lost until it drives on to where it can see more
    home_tries: int = 3  # attempts to return before it reports that it did not
    battery_low: float = 0.2  # charge [0, 1] below which it returns; larger returns earlier
