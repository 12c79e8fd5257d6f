"""Mode 1: the policy head, which answers at once; mode 2 is the search (LeCun, A path towards autonomous machine
intelligence, 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Dynamics, Knowing
from ami_ros.world_model.arrays import Floats, accumulated

Alone = Literal["never", "late", "always"]
PROBE = 10  # plans of mode 1 in a row, after which a search is tried again


@dataclass(frozen=True)
class ModeOneConfig:
    """What the policy head is used for, where the model has one."""

    alone: Alone = "late"  # never; late: where a search cannot keep the rate, and the model is sure; always
    doubt: float = 0.3  # expected error of the latent after one step, above which it does not drive alone


@dataclass(frozen=True)
class Impulse:
    """What the policy would do."""

    actions: Floats  # (steps, width)
    doubt: float  # expected error of the latent after the first step; NaN: the model has no ensemble


class ModeOne:
    """Rolls the policy out through the model.

    Args:
        model: with a policy, or there is no mode 1.
        config: what it is used for.
    """

    def __init__(self, model: Dynamics, config: ModeOneConfig) -> None:
        self.model, self.config = model, config
        self.driven = 0  # plans in a row that it made alone

    def wanted(self, late: bool) -> bool:
        """Whether to ask it; `late`: even the smallest search comes too late on this machine now."""
        use = self.config
        return self.model.spec.policy and (use.alone == "always" or (late and use.alone == "late"))

    def may_drive(self, impulse: Impulse, late: bool, better_than_standing: bool) -> bool:
        """Whether its answer is the plan, without a search; it counts the answers that are."""
        alone = self.config.alone == "always"
        if self.config.alone == "late" and late and self.driven < PROBE:
            alone = better_than_standing and impulse.doubt <= self.config.doubt
        self.driven = self.driven + 1 if alone else 0
        return alone

    def imagine(self, latent: Floats, previous: Floats, goal: Floats, steps: int, robot: Kinematics) -> Impulse:
        """What it would do for `steps` steps, each as the mean of its chunk, as far as the robot can.

        Args:
            latent: (latent_dim,) of now.
            previous: (width,) command in force.
            goal: (latent_dim,).
            steps: how far.
            robot: its limits.
        """
        model, spec = cast(Knowing, self.model), self.model.spec
        here, before, goal = latent[None], previous[None], goal[None]
        actions: list[Floats] = []
        doubt = float("nan")
        for _ in range(steps):
            action = robot.project(model.policy(here, goal).mean(1))
            chunk = action[:, None, None].repeat(spec.chunk, 2)
            ahead, _ = model.rollout(here, chunk, before)
            if not actions and spec.ensemble:
                doubt = float(accumulated(model.path_disagreement(here, ahead, chunk, before))[0, 0])
            actions.append(action[0])
            here, before = ahead[:, 0], action
        return Impulse(np.stack(actions), doubt)
