"""The model is unsure where its predictors disagree more than they usually do, for a while."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from ami_ros.planning.doubt import Doubt, DoubtConfig
from harness.exact_model import SPEC, ExactModel, latent_of

CONFIG = DoubtConfig()


def test_what_is_usual_raises_no_doubt() -> None:
    doubt, rng = Doubt(ExactModel(), CONFIG), np.random.default_rng(0)
    assert not any(doubt.unsure(float(d)) for d in rng.uniform(0.5, 1.2, 400))


def test_disagreement_far_above_the_usual_does_if_it_lasts() -> None:
    doubt = Doubt(ExactModel(), CONFIG)
    for _ in range(CONFIG.warm_up):
        assert not doubt.unsure(1.0)
    assert [doubt.unsure(3.0) for _ in range(5)] == [False] * (CONFIG.moments - 1) + [True] * (6 - CONFIG.moments)
    assert not doubt.unsure(1.0) and not doubt.unsure(3.0)


def test_before_it_knows_what_is_usual_it_says_nothing() -> None:
    doubt = Doubt(ExactModel(), CONFIG)
    assert not any(doubt.unsure(100.0 * k) for k in range(CONFIG.warm_up))


class Unsure(ExactModel):
    """Unsure of everything that turns."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(SPEC, ensemble=2)

    def disagreement(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        return 0.1 + chunk[..., 1].abs().mean(-1)


def test_it_asks_the_model_about_the_commands_and_one_without_such_heads_has_no_doubts() -> None:
    here, straight, turn = latent_of(np.zeros(3)), np.tile([0.3, 0.0], (3, 1)), np.tile([0.3, 1.0], (3, 1))
    for model, expected in ((Unsure(), True), (ExactModel(), False)):
        doubt = Doubt(model, CONFIG)
        assert not any(doubt.about(here, straight, (0.0, 0.0)) for _ in range(60))
        assert [doubt.about(here, turn, (0.0, 0.0)) for _ in range(CONFIG.moments)][-1] is expected
