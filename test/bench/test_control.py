import pytest

from ami_ros.bench.control import Control
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.model_files import LoadedModel
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, save_model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    inputs = InputSpec(image_size=16, scan_beams=36)
    spec = ModelSpec(inputs=inputs, latent_dim=8, encoder_width=16, predictor_width=16, head_width=16, contrast_dim=8)
    folder = tmp_path_factory.mktemp("small")
    save_model(folder, "small", WorldModel(spec))
    return load_inference(folder)


def test_perception_and_planning_are_timed(small: LoadedModel) -> None:
    rows = list(Control(repeats=4).time(small, seed=0))
    names = [row["what"].partition(",")[0] for row in rows]
    assert names == ["encode", "encode_goal", "plan", "plan_among_people"]
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in rows)
    assert rows[2]["what"] == "plan, 384 futures of 7 steps"
