"""Which sensor messages are new, and of this time."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ami_ros.errors import AmiError


@dataclass(frozen=True)
class FreshnessConfig:
    """What is too old, too early, or too much the same."""

    max_age: float = 1.0  # [s] between a stamp and now
    max_ahead: float = 0.5  # [s] that a stamp may lie in the future
    max_repeats: int = 10  # equal images in a row while the robot moves, from which the camera counts as frozen


class Freshness:
    """Judges a stream of images by stamps and bytes."""

    def __init__(self, config: FreshnessConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forgets the stream, as after a jump in time."""
        self._newest = -float("inf")
        self._digest: int | None = None
        self._repeats = 0

    def check(self, stamp: float, now: float, data: bytes | memoryview, moving: bool) -> None:
        """Takes note of a message.

        A camera that is frozen stays so until its picture changes. While the robot stands, equal pictures mean
        nothing: a simulated camera has no noise.

        Raises:
            AmiError: it must not be used: out of order, too old, from the future, or the camera is frozen.
        """
        if now - stamp > self.config.max_age:
            raise AmiError(
                f"stamp is {now - stamp:.2f} s old: dropped; are the clocks in step, and use_sim_time alike?"
            )
        if stamp - now > self.config.max_ahead:
            raise AmiError(f"stamp lies {stamp - now:.2f} s in the future: dropped; are the clocks in step?")
        if stamp <= self._newest:
            raise AmiError("stamp is not newer than the last one: dropped; do two nodes publish this topic?")
        self._newest = stamp
        digest = zlib.crc32(data)
        if digest != self._digest:
            self._digest, self._repeats = digest, 0
        elif moving:
            self._repeats += 1
        if self._repeats >= self.config.max_repeats:
            raise AmiError(f"the camera is frozen: {self._repeats} equal images while the robot moved; restart it")
