"""What the safety gate sends, and why: each reason belongs to a guarantee of docs/safety.md."""

from __future__ import annotations

from dataclasses import dataclass

from ami_ros.commands import Command

BLIND = 5  # the guarantee that it stands without usable scans
BY_SCANS = "3, 4, 5, 6, 9"  # guarantees that hold as far as scans are right; those that are guessed may not be
STOPPED = "emergency stop"
# Why a command was changed, up to a colon, and which guarantee of docs/safety.md acted.
REASONS = {
    "limit": 1,
    "command is not finite": 1,
    "no command": 2,
    "clock stands still": 2,
    "obstacle ahead": 3,
    "too much to look at": 3,
    "unseen ahead": 4,
    "no scan": BLIND,
    "scan without a reading": BLIND,
    "scan without what stood there": BLIND,
    "no data": BLIND,
    "moving thing ahead": 6,
    STOPPED: 7,
    "a node is missing": 8,
    "zone": 9,
    "keep-out": 10,
}


@dataclass(frozen=True)
class SafetyOutput:
    """What is sent to the robot."""

    linear: float  # [m/s]
    angular: float  # [rad/s]
    reason: str  # why it differs from the request; "" if it does not
    lateral: float = 0.0  # [m/s]

    @property
    def command(self) -> Command:
        """All three numbers, see `ami_ros.commands`."""
        return self.linear, self.angular, self.lateral

    @property
    def guarantee(self) -> int:
        """Which guarantee of docs/safety.md acted; 0: none."""
        return REASONS.get(self.reason.partition(":")[0], 0)

    @property
    def zone(self) -> tuple[str, str]:
        """Name and action_type of the zone that acted; "" each if none did."""
        if not self.reason.startswith("zone: "):
            return "", ""
        name, _, action = self.reason.removeprefix("zone: ").rpartition(", ")
        return name, action
