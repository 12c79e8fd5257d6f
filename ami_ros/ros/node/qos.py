"""QoS profiles, one for each kind of topic."""

from __future__ import annotations

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

# Sensor inputs: only the newest, and no retransmission.
SENSOR = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
# Small results and commands: every one arrives.
RELIABLE = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=5, reliability=QoSReliabilityPolicy.RELIABLE)
# A state that is said again and again: only the newest word counts, and none from before is heard after it came late.
NEWEST = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
# What late subscribers want to know as well.
LATCHED = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)
# Requests that may come in bursts: none may be lost, for its client waits.
REQUESTS = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=1000, reliability=QoSReliabilityPolicy.RELIABLE)

# What must be heard whatever quality of service its publisher has: each message by the strictest that fits.
UNRELIABLE = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
ANY = UNRELIABLE, RELIABLE  # what is said now
ANY_LATCHED = UNRELIABLE, RELIABLE, LATCHED  # and what was said before this node came
