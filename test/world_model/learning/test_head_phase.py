"""The phase of the learned heads: each learns something, all else stays, and it can be repeated to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.phases import HeadConfig, Moments, encode_all, fit_heads, gather
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig, only_heads
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel
from harness.training import Killed, Shortened, assert_equal

HEADS = HeadConfig(batch=128, learning_rate=4e-3)


@pytest.fixture(scope="module")
def full(spec: ModelSpec) -> ModelSpec:
    return replace(spec, ensemble=3, ensemble_width=32)


@pytest.fixture(scope="module")
def trained(dataset: Dataset, full: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    """Of all runs but the last one."""
    config = TrainingConfig(
        steps=160, batch=16, warm_up=10, learning_rate=5e-3, head_steps=300, held_out=0.0, spec=full,
        heads=HEADS, windows=WindowConfig(starts=4, pairs=12),
    )  # fmt: skip
    return Trainer(config, Shortened(dataset), tmp_path_factory.mktemp("run")).run(lambda step, terms: None)


def encoded(model: WorldModel, sampler: WindowSampler) -> Tensor:
    return encode_all(model, sampler, lambda share: None)


@pytest.fixture(scope="module")
def unseen(trained: WorldModel, dataset: Dataset) -> Moments:
    """The last run."""
    sampler = WindowSampler(dataset, trained.spec, WindowConfig())
    data = gather(trained, sampler, encoded(trained, sampler))
    last = dataset.episodes[-1][0]
    return replace(data, starts=data.starts[data.starts >= last])


def test_predictors_disagree_where_the_prediction_errs_and_on_what_never_was(
    trained: WorldModel, unseen: Moments
) -> None:
    rows = unseen.starts
    latent, chunk = unseen.latents[rows], unseen.chunks(rows)
    previous = unseen.previous[rows]
    with torch.inference_mode():
        said = trained.disagreement(latent, chunk, previous)
        error = (trained.step(latent, chunk, previous)[0] - unseen.latents[rows + unseen.chunk]).square().mean(1).sqrt()
        elsewhere = trained.disagreement(8 * latent.std() - latent, chunk, previous)
    assert spearmanr(said, error).statistic > 0.25  # 0.07 is one deviation of chance
    assert 0.4 < float(said.median() / error.median()) < 2.5
    assert elsewhere.median() > 1.1 * said.median()


def test_only_heads_are_learned_and_one_seed_gives_one_model(dataset: Dataset, full: ModelSpec) -> None:
    def learned(seed: int) -> WorldModel:
        torch.manual_seed(0)
        model = WorldModel(full).eval()
        sampler = WindowSampler(dataset, full, WindowConfig())
        fit_heads(model, sampler, encoded(model, sampler), 3, HEADS, seed, lambda share, loss: None)
        return model

    torch.manual_seed(0)
    before, model = WorldModel(full).state_dict(), learned(0)
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed == {name for name in before if name.startswith("heads.")}
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert_equal(learned(0), model)
    assert not learned(1).heads.state_dict()["ensemble.weights.0"].equal(model.heads.state_dict()["ensemble.weights.0"])


def test_progress_is_reported_and_every_moment_is_encoded_as_by_itself(dataset: Dataset, full: ModelSpec) -> None:
    reports: list[float] = []
    sampler = WindowSampler(dataset, full, WindowConfig())
    model = WorldModel(full).eval()
    own = encoded(model, sampler)
    fit_heads(model, sampler, own, 2, HEADS, 0, lambda share, loss: reports.append(share))
    assert reports == [0.5, 1.0]
    rows = np.array([0, 7, len(own) - 1])
    with torch.inference_mode():
        torch.testing.assert_close(own[rows], model.encode(sampler.sensors(rows)), atol=1e-5, rtol=1e-4)


def test_a_training_that_was_killed_among_its_heads_ends_as_one_that_was_not(
    dataset: Dataset, full: ModelSpec, tmp_path: Path
) -> None:
    config = TrainingConfig(
        steps=2, batch=4, checkpoint_every=2, head_steps=2, spec=full, heads=HEADS, windows=WindowConfig(starts=3)
    )

    def train(name: str, kill: bool = False) -> WorldModel:
        trainer = Trainer(config, dataset, tmp_path / name)
        trainer.resume()

        def report(step: int, terms: dict[str, float]) -> None:
            if kill and "ensemble" in terms:
                raise Killed

        return trainer.run(report)

    whole = train("whole")
    with pytest.raises(Killed):
        train("killed", kill=True)
    assert_equal(train("killed"), whole)


def test_a_finished_model_gets_heads_and_keeps_its_latents(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    torch.manual_seed(5)
    start = WorldModel(spec).eval()
    wanted = TrainingConfig(head_steps=2, heads=HEADS, spec=ModelSpec(ensemble=2))
    config = only_heads(wanted, spec)
    assert config.spec == replace(spec, ensemble=2)
    model = Trainer(config, dataset, tmp_path, start).run(lambda step, terms: None)
    for name, value in start.state_dict().items():
        assert value.equal(model.state_dict()[name]), name
