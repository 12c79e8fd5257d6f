"""Configuration of exploring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExplorationConfig:
    """What is new or in doubt, how far to look, and when to go on."""

    known: float = 0.7  # [m] from a remembered place within which a spot is known; smaller explores more finely
    sight: float = 2.4  # [m] up to which free space in the scan is trusted; larger finds farther spots, some wrong
    half_width: float = 0.25  # [m] half width of the free corridor to a spot; larger ignores narrow passages
    margin: float = 0.4  # [m] kept from what ends the corridor; larger stays farther from walls
    directions: int = 48  # in which spots are looked for; more: finer, slower
    turn_cost: float = 0.5  # [m/rad] of turning towards a spot; larger goes on straight ahead
    doubt_worth: float = 2.0  # [m] of detour for a spot where the model is twice as unsure as usual; 0: none
    doubtful: float = 1.5  # times the usual doubt from which a known place is visited again; larger: fewer
    doubt_apart: float = 1.5  # [m] between such visits; larger: fewer
    passed: float = 0.5  # [m] from a spot at which the next is chosen without stopping; larger cuts corners
    apart: float = 0.5  # [m] between spots that are kept, and around one that failed; larger keeps fewer
    link: float = 0.45  # [m] between places that reach each other; larger may reach through walls
    leg_seconds: float = 25.0  # [s] to reach a spot in sight, at most
    far_seconds: float = 90.0  # [s] to reach a remembered place, or the way back, at most
    patience: float = 30.0  # [s] for memory to localise the robot before exploring ends
    home_tries: int = 3  # attempts to come back before it reports that it did not
    battery_low: float = 0.2  # charge [0, 1] below which it returns; larger returns earlier
