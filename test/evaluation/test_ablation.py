"""Variants are trained and measured alike, and a bench that was interrupted goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ami_ros.app import bench_ablation
from ami_ros.config import with_settings
from ami_ros.errors import AmiError
from ami_ros.evaluation.ablation import FIGURES, RESULT, VARIANTS, chosen
from ami_ros.learning.extract import extract
from ami_ros.learning.presets import PRESETS
from ami_ros.learning.trainer import CHECKPOINT, Trainer
from harness.recorded import ROWS, record

SMALL = [
    "checkpoint_every=2", "batch=8", "spec.inputs.image_size=16", "spec.inputs.scan_beams=0", "spec.latent_dim=8",
    "spec.encoder_width=32", "spec.predictor_width=32", "spec.head_width=32", "windows.starts=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    extract([record(folder / f"run_{seed}", seed, True) for seed in range(4)], folder / "data")
    return folder / "data"


def bench(data: Path, folder: Path, only: list[str], steps: int = 4) -> dict[str, float]:
    bench_ablation.main(
        data, out=folder / "out", steps=steps, only=only, settings=SMALL, hold_out=2, frames=2 * ROWS, seed=3,
        json=folder / "figures.json",
    )  # fmt: skip
    figures: dict[str, float] = json.loads((folder / "figures.json").read_text())
    return figures


def test_each_variant_differs_from_the_base_in_what_it_says() -> None:
    base = PRESETS["onboard"]
    configs = [with_settings(base, variant.settings) for variant in VARIANTS]
    assert configs[0] == base and all(config != base for config in configs[1:])
    assert all(a != b for i, a in enumerate(configs) for b in configs[:i])
    bare = configs[[v.name for v in VARIANTS].index("prediction_only")].weights
    assert {name for name, value in vars(bare).items() if value} == {"prediction"}


def test_variants_are_chosen_by_name() -> None:
    assert chosen([]) == VARIANTS
    assert [v.name for v in chosen(["sigreg", "base"])] == ["base", "sigreg"]
    with pytest.raises(AmiError, match=r"no variant 'nothing'; known are base, .*sigreg"):
        chosen(["nothing"])


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where two variants are finished; read only."""
    folder = tmp_path_factory.mktemp("done")
    bench(data, folder, ["base", "no_relative_pose"])
    return folder


def test_a_table_and_flat_figures_of_every_variant(
    data: Path, done: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "run", lambda *_: pytest.fail("trained again"))
    figures = bench(data, done, ["base", "no_relative_pose"])
    printed = capsys.readouterr().out
    assert f"4 steps on {2 * ROWS} frames, measured on {2 * ROWS} others, seed 3" in printed
    assert all(figure.title.split()[0] in printed for figure in FIGURES)
    assert {f"base_{figure.key}" for figure in FIGURES} <= set(figures)
    assert "no_relative_pose_relative_position_median_m" not in figures  # nothing has learned it
    assert figures["seed"] == 3 and figures["steps"] == 4 and "processor" in figures
    assert not any(isinstance(value, dict | list) for value in figures.values())


def test_an_interrupted_bench_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advance, steps = Trainer.run, []

    def interrupted(trainer: Trainer, report: Any, watch: Any = None) -> Any:
        def stop(step: int, terms: dict[str, float]) -> None:
            steps.append(step)
            if len(steps) == 3:
                raise KeyboardInterrupt

        return advance(trainer, stop, watch)

    monkeypatch.setattr(Trainer, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench(data, tmp_path, ["sigreg"])
    bench(data, tmp_path, ["sigreg"])
    assert steps == [1, 2, 3, 3, 4]  # from the checkpoint of step 2
    assert (tmp_path / "out" / "sigreg" / RESULT).is_file() and not (tmp_path / "out" / "sigreg" / CHECKPOINT).exists()


def test_results_of_another_training_are_refused(data: Path, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    with pytest.raises(AmiError, match=r"result\.json is of other steps, seed, data or settings; choose another --out"):
        bench(data, tmp_path, ["base"], steps=5)
    (tmp_path / "out" / "base" / RESULT).write_text("{")
    with pytest.raises(AmiError, match=r"cannot be read; delete it"):
        bench(data, tmp_path, ["base"])
