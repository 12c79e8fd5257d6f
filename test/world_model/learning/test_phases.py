"""The last phases: each learns something, all else stays, and it can be repeated to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.descent import Descent
from ami_ros.world_model.learning.objective import dynamics_losses
from ami_ros.world_model.learning.phases import (
    HeadConfig,
    Moments,
    encode_all,
    fit_heads,
    fit_sighting,
    in_units_of,
    with_wider_limits,
)
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig, only_dynamics, only_heads
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel, load_model, save_model
from harness.training import Killed, Shortened, assert_equal

HEADS = HeadConfig(batch=128, learning_rate=4e-3)
WINDOWS = WindowConfig(starts=4, pairs=12)


def encoded(model: WorldModel, sampler: WindowSampler) -> Tensor:
    return encode_all(model, sampler, lambda share: None)


def begun(spec: ModelSpec) -> WorldModel:
    """A model that predicts something, without having learned it."""
    torch.manual_seed(5)
    model = WorldModel(spec).eval()
    torch.nn.init.normal_(model.predictor.leave.weight, std=0.1)
    return model


def changed(before: dict[str, Tensor], model: WorldModel) -> set[str]:
    """Parts of a model whose weights are others than `before`."""
    return {name.partition(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}


def state(model: WorldModel) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def full(spec: ModelSpec) -> ModelSpec:
    return replace(spec, ensemble=3, ensemble_width=32, sight_code=16)


@pytest.fixture(scope="module")
def sampler(dataset: Dataset, full: ModelSpec) -> WindowSampler:
    return WindowSampler(dataset, full, WindowConfig())


# The ensemble


@pytest.fixture(scope="module")
def trained(dataset: Dataset, full: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    """Of all runs but the last one."""
    config = TrainingConfig(
        steps=160, batch=16, warm_up=10, learning_rate=5e-3, sight_steps=0, head_steps=300, held_out=0.0, spec=full,
        heads=HEADS, windows=WINDOWS,
    )  # fmt: skip
    return Trainer(config, Shortened(dataset), tmp_path_factory.mktemp("run")).run(lambda step, terms: None)


def test_predictors_disagree_where_the_prediction_errs_and_on_what_never_was(
    trained: WorldModel, sampler: WindowSampler, dataset: Dataset
) -> None:
    unseen = Moments(trained, sampler, encoded(trained, sampler))
    rows = unseen.starts[unseen.starts >= dataset.episodes[-1][0]]  # of the last run
    latent, given = unseen.latents[rows], unseen.driven(rows)
    with torch.inference_mode():
        said = trained.disagreement(latent, *given)
        error = (trained.step(latent, *given)[0] - unseen.after(rows)).square().mean(1).sqrt()
        elsewhere = trained.disagreement(8 * latent.std() - latent, *given)
    assert spearmanr(said, error).statistic > 0.25  # 0.07 is one deviation of chance
    assert 0.4 < float(said.median() / error.median()) < 2.5
    assert elsewhere.median() > 1.1 * said.median()


def test_only_heads_are_learned_and_one_seed_gives_one_model(full: ModelSpec, sampler: WindowSampler) -> None:
    def learned(seed: int, report: Callable[[int, float], None] = lambda done, loss: None) -> WorldModel:
        torch.manual_seed(0)
        model = WorldModel(full).eval()
        latents = encoded(model, sampler)
        rows = np.array([0, 7, len(latents) - 1])
        with torch.inference_mode():  # every moment is encoded as by itself
            torch.testing.assert_close(latents[rows], model.encode(sampler.sensors(rows)), atol=1e-5, rtol=1e-4)
        fit_heads(model, sampler, latents, HEADS.batch, seed, Descent(3, HEADS.learning_rate, report))
        return model

    torch.manual_seed(0)
    reports: list[int] = []
    before, model = WorldModel(full).state_dict(), learned(0, lambda done, loss: reports.append(done))
    assert reports == [1, 2, 3]
    assert changed(before, model) == {"heads"}
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert_equal(learned(0), model)
    assert not learned(1).heads.state_dict()["ensemble.weights.0"].equal(model.heads.state_dict()["ensemble.weights.0"])


def test_a_training_that_was_killed_among_its_heads_ends_as_one_that_was_not(
    dataset: Dataset, full: ModelSpec, tmp_path: Path
) -> None:
    config = TrainingConfig(
        steps=2, batch=4, checkpoint_every=2, sight_steps=0, head_steps=2, spec=full, heads=HEADS,
        windows=WindowConfig(starts=3),
    )  # fmt: skip

    def train(name: str, kill: bool = False) -> WorldModel:
        trainer = Trainer(config, dataset, tmp_path / name)
        trainer.resume()
        return trainer.run(killed_at_heads if kill else lambda step, terms: None)

    whole = train("whole")
    with pytest.raises(Killed):
        train("killed", kill=True)
    assert_equal(train("killed"), whole)


def killed_at_heads(step: int, terms: dict[str, float]) -> None:
    """Ends a training where the ensemble is learned."""
    if "ensemble" in terms:
        raise Killed


def test_a_finished_model_gets_heads_and_keeps_its_latents(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    start = begun(spec)
    wanted = TrainingConfig(head_steps=2, heads=HEADS, spec=ModelSpec(ensemble=2))
    config = only_heads(wanted, spec)
    assert config.spec == replace(spec, ensemble=2)
    model = Trainer(config, dataset, tmp_path, start).run(lambda step, terms: None)
    for name, value in start.state_dict().items():
        assert value.equal(model.state_dict()[name]), name


# What commands do


def error(model: WorldModel, sampler: WindowSampler) -> float:
    """Of the dynamics, on the same windows each time."""
    frames, windows = sampler.driven(np.random.default_rng(1), 64)
    with torch.inference_mode():
        terms = dynamics_losses(model, windows, encoded(model, sampler)[torch.from_numpy(frames)])
    return float(terms["prediction"] + terms["motion"])


def trainer(dataset: Dataset, start: WorldModel, folder: Path, steps: int) -> Trainer:
    wanted = TrainingConfig(learning_rate=5e-3, head_steps=2, windows=WINDOWS, spec=start.spec)
    config = replace(only_dynamics(wanted, start.spec, steps), batch=32)
    return Trainer(config, dataset, folder, start)


def test_what_commands_do_is_learned_and_every_other_weight_stays(
    dataset: Dataset, full: ModelSpec, tmp_path: Path
) -> None:
    start = begun(full)
    learning = trainer(dataset, start, tmp_path, 60)
    model = learning.run(lambda step, terms: None)
    assert error(model, learning.sampler) < 0.8 * error(start, learning.sampler)
    assert changed(start.state_dict(), model) == {"predictor", "motion", "heads"}
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_a_run_that_was_killed_while_it_learned_what_commands_do_ends_as_one_that_was_not(
    dataset: Dataset, full: ModelSpec, tmp_path: Path
) -> None:
    start = begun(full)
    whole = trainer(dataset, start, tmp_path / "whole", 3).run(lambda step, terms: None)
    with pytest.raises(Killed):
        trainer(dataset, start, tmp_path / "killed", 3).run(killed_at_heads)
    assert_equal(trainer(dataset, start, tmp_path / "killed", 3).run(lambda step, terms: None), whole)


def test_a_model_in_the_units_of_a_faster_robot_predicts_as_before(full: ModelSpec) -> None:
    model = begun(full)
    wider = in_units_of(model, with_wider_limits(full, {"max_linear": 1.1, "max_angular": 1.0}))
    assert wider.spec.max_linear == 1.1 and wider.spec.max_angular == full.max_angular
    draw = torch.Generator().manual_seed(0)
    latent = torch.randn(8, full.latent_dim, generator=draw)
    commands = torch.rand(8, 3, full.chunk, 2, generator=draw) - 0.3
    previous = torch.rand(8, 2, generator=draw)
    with torch.inference_mode():
        given = latent, commands, previous
        torch.testing.assert_close(wider.rollout(*given), model.rollout(*given), atol=1e-5, rtol=1e-5)
        chunk = commands[:, 0]
        torch.testing.assert_close(
            wider.disagreement(latent, chunk, previous), model.disagreement(latent, chunk, previous)
        )
        pairs = torch.cat([latent, latent.flip(0)], 1)
        own = wider.inverse_dynamics(pairs) * wider.command_scale.repeat(full.chunk)
        torch.testing.assert_close(own, model.inverse_dynamics(pairs) * model.command_scale.repeat(full.chunk))


def test_memories_stay_valid_where_commands_alone_were_learned_and_only_there(full: ModelSpec, tmp_path: Path) -> None:
    start = save_model(tmp_path / "start", "m", begun(full))
    with torch.no_grad():
        learned = begun(full)
        learned.predictor.leave.weight += 1.0
        assert save_model(tmp_path / "learned", "m", learned, start).encoder_id == start.encoder_id
        assert load_model(tmp_path / "learned").encoder_id == start.encoder_id
        next(learned.relative_pose.parameters()).add_(1.0)
        assert save_model(tmp_path / "other", "m", learned, start).encoder_id != start.encoder_id


# Pictures


@pytest.mark.parametrize("code", [16, 0])
def test_pictures_are_compared_better_and_all_else_stays(full: ModelSpec, sampler: WindowSampler, code: int) -> None:
    torch.manual_seed(0)
    model = WorldModel(replace(full, sight_code=code)).eval()
    before, losses = state(model), list[float]()
    how = Descent(60 if code else 5, 1e-3, lambda _, loss: losses.append(loss))
    fit_sighting(model, sampler, encoded(model, sampler), 0, False, how)
    assert changed(before, model) == ({"sighting"} if code else set())
    assert not code or (len(losses) == 60 and np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5]))
    assert not model.training
