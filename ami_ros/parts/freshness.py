"""Which sensor messages are new and recent."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ami_ros.errors import AmiError


@dataclass(frozen=True)
class FreshnessConfig:
    """Limits on the age and repetition of sensor messages."""

    max_age: float = 1.0  # [s] of a message when it arrives; smaller drops more on a slow network
    max_ahead: float = 0.5  # [s] that a stamp may lie in the future; larger tolerates clocks that differ more
    frozen_after: float = 1.0  # [s] of equal images while the robot moves, from which the camera counts as frozen


class Freshness:
    """Judges a stream of images by stamps and bytes."""

    def __init__(self, config: FreshnessConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forgets the stream, as after a jump in time."""
        self._newest = -float("inf")
        self._digest: int | None = None
        self._frozen = 0.0  # [s] of equal images while the robot moved

    def check(self, stamp: float, now: float, data: bytes | memoryview, moving: bool) -> None:
        """Takes note of a message.

        A frozen camera counts as such until its image changes. While the robot stands, equal images mean
        nothing: a simulated camera has no noise.

        Raises:
            AmiError: it must not be used: out of order, too old, from the future, or the camera is frozen.
        """
        if now - stamp > self.config.max_age:
            raise AmiError(
                f"stamp is {now - stamp:.2f} s old: dropped; are clocks in sync, and use_sim_time alike everywhere?"
            )
        if stamp - now > self.config.max_ahead:
            raise AmiError(f"stamp lies {stamp - now:.2f} s in the future: dropped; are clocks synchronised?")
        if stamp <= self._newest:
            raise AmiError("stamp is not newer than the last one: dropped; do two nodes publish this topic?")
        elapsed, self._newest = stamp - self._newest, stamp
        digest = zlib.crc32(data)
        if digest != self._digest:
            self._digest, self._frozen = digest, 0.0
        elif moving:
            self._frozen += min(elapsed, self.config.frozen_after / 2)  # a gap is not proof of a frozen camera
        if self._frozen >= self.config.frozen_after:
            raise AmiError(
                f"the camera is frozen: equal images for {self._frozen:.1f} s while the robot moved; restart it"
            )
