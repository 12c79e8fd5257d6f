"""The model is unsure where its predictors disagree more than they usually do, for a while."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.planning.monitors import Doubt
from harness.exact_model import SPEC, ArrayOrTensor, ExactModel, latent_of


def test_what_is_usual_raises_no_doubt() -> None:
    doubt, rng = Doubt(ExactModel()), np.random.default_rng(0)
    assert not any(doubt.unsure(0.2 * k, float(d)) for k, d in enumerate(rng.uniform(0.5, 1.2, 400)))


def test_disagreement_far_above_the_usual_does_if_it_lasts() -> None:
    for rate in (5.0, 10.0, 30.0):
        doubt, count = Doubt(ExactModel()), round(10.0 * rate) + 1
        stamps = np.arange(count + 2 * round(rate)) / rate
        assert not any(doubt.unsure(float(stamp), 1.0) for stamp in stamps[:count])
        raised = [stamp for stamp in stamps[count:] if doubt.unsure(float(stamp), 3.0)]
        assert 0.55 - 1e-9 <= raised[0] - stamps[count] <= 0.55 + 1 / rate, rate
        assert not doubt.unsure(stamps[-1] + 1 / rate, 1.0) and not doubt.unsure(stamps[-1] + 2 / rate, 3.0)


def test_before_it_knows_what_is_usual_it_says_nothing() -> None:
    doubt = Doubt(ExactModel())
    assert not any(doubt.unsure(0.2 * k, 100.0 * k) for k in range(int(10.0 / 0.2)))


class Unsure(ExactModel):
    """Unsure of everything that turns."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(SPEC, ensemble=2)

    def disagreement(self, latent: ArrayOrTensor, chunk: ArrayOrTensor, previous: ArrayOrTensor) -> ArrayOrTensor:
        return 0.1 + abs(chunk[..., 1]).mean(-1)


def test_it_asks_the_model_about_the_commands_and_one_without_such_heads_has_no_doubts() -> None:
    here, straight, turn = latent_of(np.zeros(3)), np.tile([0.3, 0.0], (3, 1)), np.tile([0.3, 1.0], (3, 1))
    for model, expected in ((Unsure(), True), (ExactModel(), False)):
        doubt = Doubt(model)
        assert not any(doubt.about(0.2 * k, here, straight, (0.0, 0.0)) for k in range(60))
        assert [doubt.about(0.2 * k, here, turn, (0.0, 0.0)) for k in range(60, 66)][-1] is expected
