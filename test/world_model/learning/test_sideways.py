"""From bags of a robot that drives sideways to a model that knows what the third number of its commands does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.simulation.exploration import Explorer
from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.learning.alignment import SIDEWAYS
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.collection import record_step
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.extract import ExtractConfig, extract
from ami_ros.world_model.learning.lerobot_export import export_lerobot
from ami_ros.world_model.learning.lerobot_import import import_lerobot
from ami_ros.world_model.learning.odometry_gains import with_gains
from ami_ros.world_model.learning.phases import Moments, encode_all
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
from ami_ros.world_model.learning.windows import Joined, WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import LoadedModel, WorldModel, load_model, save_model

ROWS, RUNS, PERIOD = 220, 6, 0.2
LATERAL = 0.4


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, made = tmp_path_factory.mktemp("sideways"), []
    for seed in range(RUNS):
        robot = Loopback("empty", image_size=32, seed=seed, robot="ami_bot_omnidirectional")
        explorer = Explorer(np.random.default_rng(seed), robot.description)
        with BagWriter(folder / f"run_{seed}") as bag:
            for _ in range(ROWS):
                record_step(bag, robot, explorer.command, PERIOD)
        made.append(folder / f"run_{seed}")
    return made


@pytest.fixture(scope="module")
def wide(bags: list[Path]) -> Dataset:
    return extract(bags, bags[0].parent / "wide", ExtractConfig(lateral=True))


@pytest.fixture(scope="module")
def narrow(bags: list[Path]) -> Dataset:
    return extract(bags[:1], bags[0].parent / "narrow")


@pytest.fixture(scope="module")
def omnidirectional(spec: ModelSpec) -> ModelSpec:
    return replace(spec, max_lateral=LATERAL)


@pytest.fixture(scope="module")
def trained(wide: Dataset, omnidirectional: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """As loaded from its folder."""
    folder = tmp_path_factory.mktemp("run")
    config = TrainingConfig(
        steps=150, batch=16, warm_up=10, learning_rate=5e-3, head_steps=20, held_out=0.0,
        spec=replace(omnidirectional, ensemble=2, ensemble_width=32),
        windows=WindowConfig(starts=4, pairs=12),
    )  # fmt: skip
    save_model(folder / "model", "sideways", Trainer(config, wide, folder).run(lambda step, terms: None))
    return load_model(folder / "model")


def test_a_data_set_holds_three_numbers_where_it_is_told_that_the_robot_drives_sideways(
    wide: Dataset, narrow: Dataset
) -> None:
    assert wide.command.shape == wide.velocity.shape == (len(wide), 3)
    assert np.abs(wide.command[:, 2]).max() > 0.2 and np.abs(wide.velocity[:, 2]).max() > 0.2
    lag = np.corrcoef(wide.command[:-1, 2], wide.velocity[1:, 2])[0, 1]
    assert lag > 0.8, "what was commanded is what the robot then does"
    assert not wide.card.dropped.get(SIDEWAYS)


def test_without_being_told_it_leaves_the_third_out_and_says_so(wide: Dataset, narrow: Dataset) -> None:
    assert narrow.command.shape == narrow.velocity.shape == (len(narrow), 2)
    np.testing.assert_array_equal(narrow.command, wide.command[: len(narrow), :2])
    assert narrow.card.dropped[SIDEWAYS] > ROWS / 5


def test_data_of_one_width_are_no_data_for_a_model_of_another(
    wide: Dataset, narrow: Dataset, spec: ModelSpec, omnidirectional: ModelSpec, tmp_path: Path
) -> None:
    for data, wanted, hint in ((narrow, omnidirectional, "lateral=true"), (wide, spec, "spec.max_lateral")):
        with pytest.raises(AmiError, match=hint) as refused:
            Trainer(TrainingConfig(spec=wanted), data, tmp_path)
        assert "\n" not in str(refused.value)
    with pytest.raises(AmiError, match="drive sideways, some do not"):
        Joined([wide, narrow])


def test_it_learns_what_the_third_number_does(trained: LoadedModel, wide: Dataset) -> None:
    """Latents and motions are foretold worse with the sideways part of other moments, all else the same."""
    model = trained.model
    sampler = WindowSampler(wide, model.spec, WindowConfig())
    data = Moments(model, sampler, encode_all(model, sampler, lambda share: None))
    sideways = np.abs(data.driven(data.starts)[0][..., 2].mean(1).numpy()) > 0.1
    rows = data.starts[sideways]
    chunk, previous = data.driven(rows)
    other = chunk.clone()
    other[..., 2] = other[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))][..., 2]
    after, moved = (
        data.after(rows),
        relative(sampler.odometry[rows], sampler.odometry[rows + model.spec.chunk]),
    )
    errors = []
    for commands in (chunk, other):
        with torch.inference_mode():
            guess, motion = model.step(data.latents[torch.from_numpy(rows)], commands, previous)
        errors.append([float((guess - after).square().mean()), float(np.square(motion.numpy() - moved)[:, 1].mean())])
    (latent, aside), (latent_shuffled, aside_shuffled) = errors
    assert latent_shuffled > 1.2 * latent and aside_shuffled > 4 * aside


def test_a_model_comes_back_from_its_folder_as_wide_as_it_was(trained: LoadedModel) -> None:
    model = trained.model
    assert model.spec.command_dim == 3 and model.command_scale.tolist() == pytest.approx([0.5, 1.8, LATERAL])
    latent = torch.zeros(1, model.spec.latent_dim)
    with torch.inference_mode():
        chunk, previous = torch.zeros(1, model.spec.chunk, 3), torch.zeros(1, 3)
        assert model.disagreement(latent, chunk, previous).shape == (1,)


def test_the_planner_drives_sideways_with_what_was_learned(trained: LoadedModel, wide: Dataset) -> None:
    """Towards a pose that lies beside the robot, by the learned motion alone."""
    sensors = WindowSampler(wide, trained.model.spec, WindowConfig()).sensors(np.array([50]))
    with torch.inference_mode():
        latent = trained.model.encode(sensors)[0].numpy()
    config = PlannerConfig(deadline=60.0, kinematics=Kinematics("omnidirectional"))
    planner = LatentPlanner(on_arrays(trained.model), config)
    for side in (0.8, -0.8):
        planner.reset()
        plan = planner.plan(0.0, latent, (0.0, 0.0), None, Target(None, np.array([0.0, side, 0.0]), True))
        assert plan.commands.shape[1] == 3 and np.isfinite(plan.cost)
        assert plan.commands[:6, 2].mean() * np.sign(side) > 0.05


def test_models_without_a_sideways_part_are_as_they_were(spec: ModelSpec) -> None:
    """The same seed gives the same weights with the field as before there was one; a wide one has other shapes."""
    made = []
    for wanted in (spec, replace(spec, max_lateral=0.0), replace(spec, max_lateral=LATERAL)):
        torch.manual_seed(0)
        made.append(WorldModel(wanted).state_dict())
    assert all(value.equal(made[1][name]) for name, value in made[0].items())
    assert made[2]["predictor.condition.0.weight"].shape[1] * 2 == made[0]["predictor.condition.0.weight"].shape[1] * 3
    with pytest.raises(ValueError, match="max_lateral must not be negative"):
        ModelSpec(max_lateral=-0.1)


def test_a_gain_of_distances_holds_for_the_sides_as_well() -> None:
    odometry = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.5, 0.0]])
    driven = with_gains(odometry, [(0, 3)], np.array([[1.2, 1.0]]))
    np.testing.assert_allclose(driven, 1.2 * odometry, atol=1e-9)


def test_lerobot_data_sets_hold_the_sideways_part(wide: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("av")
    pytest.importorskip("pyarrow")
    export_lerobot(wide, tmp_path / "exported", "explore")
    back = import_lerobot(tmp_path / "exported", tmp_path / "back", ExtractConfig(lateral=True))
    for name in ("command", "velocity"):
        np.testing.assert_allclose(getattr(back, name), getattr(wide, name), atol=1e-5)
    assert import_lerobot(tmp_path / "exported", tmp_path / "narrow").command.shape[1] == 2
