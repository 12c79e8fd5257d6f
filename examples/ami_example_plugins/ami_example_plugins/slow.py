"""A cost that prefers driving slowly."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SlowConfig:
    """Options, as in "slow weight=0.5"; every cost has these two."""

    enabled: bool = True
    weight: float = 1.0  # [m] that a future at 1 m/s costs more than standing


@dataclass(frozen=True)
class Slow:
    """The mean speed of a future, times the weight."""

    Config = SlowConfig

    weight: float

    @classmethod
    def build(cls, config, scene):
        """Made anew for each search; None where a cost does not apply, such as without a scan."""
        return cls(config.weight)

    def __call__(self, futures):
        """The cost (batch,) [m] of futures, see `ami_ros.planning.protocols.Futures`."""
        return self.weight * abs(futures.commands[..., 0]).mean(1)
