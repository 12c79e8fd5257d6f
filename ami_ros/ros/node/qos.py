"""QoS profiles, one for each kind of topic."""

from __future__ import annotations

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy


def _keep(depth: int, reliable: bool = True, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE,
    )


SENSOR = _keep(1, reliable=False)  # sensor inputs: only the newest, and no retransmission
RELIABLE = _keep(5)  # small results and commands: every one arrives
NEWEST = _keep(1)  # a state that is said again and again: none from before is heard after it came late
LATCHED = _keep(1, latched=True)  # what late subscribers want to know as well
TF_STATIC = _keep(100, latched=True)  # a latched message from each of many publishers: 1 would keep that of one only
REQUESTS = _keep(1000)  # they may come in bursts: none may be lost, for its client waits

# What must be heard whatever quality of service its publisher has: each message by the strictest that fits.
ANY = _keep(5, reliable=False), RELIABLE  # what is said now
ANY_LATCHED = *ANY, LATCHED  # and what was said before this node came


def matching_qos(offered: list[QoSProfile], depth: int = 100) -> QoSProfile:
    """The strictest quality of service that every publisher fulfils; `depth` is for bursts that a busy disk causes."""
    reliable = all(qos.reliability == QoSReliabilityPolicy.RELIABLE for qos in offered)
    return _keep(depth, reliable, all(qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for qos in offered))
