"""Configuration of exploring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExplorationConfig:
    """What is new or in doubt, how far to look, and when to go on."""

    known: float = 0.9  # [m] from a remembered place within which a spot is known; smaller explores more finely
    newest: float = 2.0  # [m] likewise, beyond which a spot is no newer; larger leads away sooner
    news_worth: float = 1.5  # [m/m] for a spot that is farther from all places; larger takes longer legs
    look_apart: float = 1.5  # [m] between spots from which it looks all round; larger: faster, fewer views; 0: never
    coarse: float = 2.0  # times `known` and `look_apart` at first, so that all rooms are seen before any closely; 1: no
    fine: float = 0.6  # times the same at last, while there is time, so that more is recognised; 1: no such pass
    unseen: float = 0.35  # share of directions nobody looked in near by, from which it does; larger: less often
    sight: float = 2.4  # [m] of a leg, at most; larger stops less often, and replans less
    robot_radius: float = 0.18  # [m] of the disc that holds the robot; larger: wider gaps
    turn_cost: float = 0.5  # [m/rad] of turning towards a spot; larger goes on straight ahead
    doubt_worth: float = 2.0  # [m] of detour for a spot where the model is twice as unsure as usual; 0: none
    doubtful: float = 1.5  # times the usual doubt from which a known place is visited again; larger: fewer
    doubt_apart: float = 1.5  # [m] between such visits; larger: fewer
    passed: float = 0.5  # [m] from the end of a leg at which the next begins without stopping; larger cuts corners
    same: float = 0.3  # [m] between the ends of two legs that are one; larger changes its mind less often
    apart: float = 0.5  # [m] around a spot that could not be reached in which no other is tried; larger: fewer
    leg_seconds: float = 25.0  # [s] for a leg, at most
    far_seconds: float = 90.0  # [s] to reach a remembered place, or the way back, at most
    patience: float = 60.0  # [s] for memory to localise the robot before exploring ends
    stay: float = 2.0  # [s] of being lost after which it drives on, to be found where more is to be seen
    home_tries: int = 3  # attempts to come back before it reports that it did not
    battery_low: float = 0.2  # charge [0, 1] below which it returns; larger returns earlier
