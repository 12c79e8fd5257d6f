"""Rates and patience of the parts: the one home of the defaults that nodes and benches share."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.parts.freshness import FreshnessConfig
from ami_ros.parts.watchdog import Patience


@dataclass(frozen=True)
class Rates:
    """What the parts are told; parameters of nodes have the same names and defaults."""

    max_rate: float = 15.0  # [Hz] of latents
    scan_max_age: float = 0.25  # [s] between the stamps of an image and of its scan
    threshold: float = 5.0  # z score above which surprise raises an alarm
    window: int = 300  # readings in the running median of the usual surprise
    observe_period: float = 0.2  # [s] between two moments that memory takes in
    places_period: float = 2.0  # [s] between two publications of what memory knows, when it changed
    thumbnails: bool = True  # keep a small picture of each new place
    control_rate: float = 10.0  # [Hz] of commands while there is a goal
    route_timeout: float = 2.0  # [s] to wait for a route before the robot drives without one
    mission_rate: float = 5.0  # [Hz] of a mission's decisions
    mission_route_timeout: float = 3.0  # [s] to wait for memory when goals are put in order
    gate_rate: float = 20.0  # [Hz] of what the gate sends between commands
    freshness: FreshnessConfig = field(default_factory=FreshnessConfig)
    patience: Patience = field(default_factory=Patience)


DEFAULTS = Rates()
