"""What the model itself holds for dangerous or unknown: predicted collisions, and where its ensemble disagrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from ami_ros.planning.protocols import Futures, Knowing, Scene
from ami_ros.world_model.model import accumulated

Head = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PredictedCollisionConfig:
    """Collisions that the model's head expects; for what no scan sees."""

    enabled: bool = False  # false: it is not weighed
    weight: float = 1.0  # [m] of a path that is sure to collide at every step


@dataclass(frozen=True)
class DisagreementConfig:
    """Futures on which the model's ensemble disagrees: it has not learned what they lead to."""

    enabled: bool = False  # false: it is not weighed
    weight: float = 0.5  # [m] of an expected error of one deviation of the latents, on average over the path


def along(head: Head, futures: Futures, chunk: int) -> Tensor:
    """(batch, steps): what a head says of each step by itself."""
    batch = len(futures.commands)
    chunks = futures.commands[:, :, None].expand(-1, -1, chunk, -1)
    return head(futures.start.expand(batch, -1), futures.latents, chunks, futures.previous.expand(batch, -1))


@dataclass(frozen=True)
class PredictedCollision:
    """See the configuration."""

    Config = PredictedCollisionConfig

    head: Head
    chunk: int
    weight: float

    @classmethod
    def build(cls, config: PredictedCollisionConfig, scene: Scene) -> PredictedCollision | None:
        """Where the model has such a head."""
        spec = scene.dynamics.spec
        return cls(cast(Knowing, scene.dynamics).path_collision, spec.chunk, config.weight) if spec.collision else None

    def __call__(self, futures: Futures) -> Tensor:
        return self.weight * along(self.head, futures, self.chunk).mean(1)


@dataclass(frozen=True)
class Disagreement:
    """See the configuration."""

    Config = DisagreementConfig

    head: Head
    chunk: int
    weight: float

    @classmethod
    def build(cls, config: DisagreementConfig, scene: Scene) -> Disagreement | None:
        """Where the model has an ensemble."""
        spec = scene.dynamics.spec
        return (
            cls(cast(Knowing, scene.dynamics).path_disagreement, spec.chunk, config.weight) if spec.ensemble else None
        )

    def __call__(self, futures: Futures) -> Tensor:
        return self.weight * accumulated(along(self.head, futures, self.chunk)).mean(1)
