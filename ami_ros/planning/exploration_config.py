"""Configuration of exploring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExplorationConfig:
    """What is new or in doubt, how far to look, and when to go on."""

    known: float = 0.7  # [m] from a remembered place, within which a spot is known
    sight: float = 2.4  # [m] ahead that free space in the scan is trusted
    half_width: float = 0.25  # [m] of the corridor that must be free
    margin: float = 0.4  # [m] kept before what ends the corridor
    directions: int = 48  # in which it is looked
    turn_cost: float = 0.5  # [m/rad] of turning towards a spot
    doubt_worth: float = 2.0  # [m] of way that a spot is worth where the model is twice as unsure as usual; 0: none
    doubtful: float = 1.5  # times the usual doubt around a place, from which it is visited although it is remembered
    doubt_apart: float = 1.5  # [m] between such visits
    passed: float = 0.5  # [m] before a spot at which the next is chosen, without stopping
    apart: float = 0.5  # [m] between spots that are kept, and around one that was tried in vain
    link: float = 0.45  # [m]; places nearer than this are in reach of each other: no wall fits between
    leg_seconds: float = 25.0  # for a spot in sight
    far_seconds: float = 90.0  # for a place from which a spot was seen, and for the way back
    patience: float = 30.0  # [s] for memory to say where this is
    home_tries: int = 3  # of coming back, after which it says that it did not
    battery_low: float = 0.2  # charge [0, 1] below which it returns
