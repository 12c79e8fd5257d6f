"""The field's benchmark from end to end, as small as it gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ami_ros.app import bench_swm
from ami_ros.errors import AmiError


def test_an_unknown_environment_is_refused_before_anything_is_collected(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="TwoRoom or PushT"):
        bench_swm.main(env="Moon", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("environment", ["TwoRoom", "PushT"])
def test_data_model_and_figures_come_from_one_command_and_are_kept(environment: str, tmp_path: Path) -> None:
    pytest.importorskip("stable_worldmodel")

    def measure() -> int:
        bench_swm.main(
            env=environment, episodes=2, seeds=1, collected=24, steps=2, offset=5, budget=6,
            out=tmp_path / "out", json=tmp_path / "figures.json",
        )  # fmt: skip
        return (tmp_path / "out" / "model" / "weights.safetensors").stat().st_mtime_ns

    made = measure()
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["ami_n"] == figures["swm_cem_n"] == figures["random_n"] == 2
    assert figures["ami_plan_p50_ms"] > 0 and figures["swm_cem_plan_p50_ms"] > 0
    assert measure() == made
