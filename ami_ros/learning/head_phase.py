"""The last phase of training: heads that are learned on finished, frozen latents.

Everything is encoded already, so a step costs milliseconds, and a model that is in use gets heads without its latents
changing: memories made with it stay valid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ami_ros.learning.descent import descend
from ami_ros.learning.encoding import Encodings
from ami_ros.learning.head_data import HeadData, gather
from ami_ros.learning.head_losses import EnsembleLesson, Lesson, PolicyLesson
from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel

Report = Callable[[str, float, float], None]  # what is learned, share done, loss


@dataclass(frozen=True)
class HeadConfig:
    """What the learned heads learn, and how."""

    batch: int = 512  # moments in a step
    learning_rate: float = 2e-3  # at the start; it falls to zero along half a cosine
    policy_seconds: float = 10.0  # goals lie at most this far ahead in the same run [s]


def fit_heads(
    model: WorldModel,
    sampler: WindowSampler,
    encoded: Encodings,
    steps: int,
    config: HeadConfig,
    seed: int,
    report: Report,
) -> None:
    """Learns all heads that the model's spec names; nothing else of it changes.

    Args:
        model: finished but for its heads; it is left in evaluation mode.
        sampler: of the data.
        encoded: all of it, by that model.
        steps: of the optimiser, for each head.
        config: what they learn.
        seed: of weights and batches: the same one gives the same heads.
        report: called with progress.
    """
    model.eval().requires_grad_(False)
    if not model.spec.has_learned_heads:
        return
    data = gather(model, sampler, encoded, seed)
    for number, (name, lesson) in enumerate(_lessons(model, data, config, seed).items()):
        _learn(name, lesson, steps, config, (seed, 10 + number), report)
    model.eval().requires_grad_(False)


def _lessons(model: WorldModel, data: HeadData, config: HeadConfig, seed: int) -> dict[str, Lesson]:
    heads, found = model.heads, dict[str, Lesson]()
    if heads.ensemble is not None:
        found["ensemble"] = EnsembleLesson(heads.ensemble, model, data, np.random.default_rng((seed, 3)))
    if heads.policy is not None:
        found["policy"] = PolicyLesson(heads.policy, model, data, config.policy_seconds)
    return found


def _learn(name: str, lesson: Lesson, steps: int, config: HeadConfig, seed: tuple[int, int], report: Report) -> None:
    def loss(step: int) -> Tensor:
        return lesson.loss(np.random.default_rng((*seed, step)), config.batch)

    descend(lesson.head, loss, steps, config.learning_rate, lambda done, value: report(name, done / steps, value))
    lesson.finish()
