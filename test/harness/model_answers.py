"""What a model says to random questions, to compare one that computes by other means with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ami_ros.core.scan import Scan
from ami_ros.world_model.array_pairs import ArrayPairs
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.spec import ModelSpec, Sensors

CLOSE = 1e-4  # of numbers about 1
COUNT = 5  # in a batch


def random_sensors(spec: ModelSpec, rng: np.random.Generator) -> Sensors:
    inputs = spec.inputs
    scan = rng.uniform(0.2, 12, (COUNT, inputs.scan_beams)).astype(np.float32)
    scan[:, :1] = np.inf  # nothing returned
    return Sensors(
        pictures(inputs.image_size, rng) if inputs.image_size else None,
        scan if inputs.scan_beams else None,
    )


def pictures(size: int, rng: np.random.Generator) -> np.ndarray:
    """Of large and small patches, so that cells differ."""
    coarse = rng.integers(0, 200, (COUNT, 3, size // 16, size // 16)).repeat(16, 2).repeat(16, 3)
    return (coarse + rng.integers(0, 56, (COUNT, 3, size, size))).astype(np.uint8)


def answers(model: Model) -> dict[str, Any]:
    """What every function of a model says about the same random questions."""
    spec, rng = model.spec, np.random.default_rng(3)
    latent, other, previous = (
        rng.normal(size=(COUNT, n)).astype(np.float32) for n in (spec.latent_dim, spec.latent_dim, spec.command_dim)
    )
    commands = rng.normal(size=(COUNT, 4, spec.chunk, spec.command_dim)).astype(np.float32)
    found: dict[str, Any] = {
        "encode": model.encode(random_sensors(spec, rng)),
        "pose": model.relative_pose(latent, other),
    }
    found["queries"], found["keys"] = model.contrast.queries(latent), model.contrast.keys(latent)
    found["latents"], found["motions"] = model.rollout(latent, commands, previous)
    found["poses of many beside one"] = model.relative_pose(found["latents"], other[0])
    if spec.ensemble:
        found["doubt"] = model.path_disagreement(latent, found["latents"], commands, previous)
        found["doubt of a step"] = model.disagreement(latent, commands[:, 0], previous)
    if spec.inputs.image_size:
        found["goal"] = model.encode_goal(pictures(spec.inputs.image_size, rng))
        found["seen"] = model.seen(pictures(spec.inputs.image_size, rng))
    if spec.picture_size:
        found["picture"] = model.encode_picture(pictures(spec.picture_size, rng))
    assert (model.sighting is None) != bool(spec.sight_code and spec.inputs.image_size)
    if model.sighting is not None:
        found["sighting"] = model.sighting(latent, found["picture"], found["picture"][::-1].copy())
    if model.pairs is not None:
        found |= of_pairs(model.pairs, found["picture"], rng)
    return found


def of_pairs(pairs: ArrayPairs, codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Of pictures' codes: with a laser and without one, and aligned."""
    others = np.concatenate([codes[:2], codes[3:], codes[2:3]])
    ranges = rng.uniform(0.1, 12, (COUNT, 360)).astype(np.float32)
    ranges[0, :90], ranges[1, 90:] = np.inf, np.nan
    scans = [Scan(row, -np.pi, 2 * np.pi / 360) for row in ranges]
    with_laser = pairs.compare(codes, others, scans)._asdict()
    found = pairs.compare(codes, others)._asdict() | {f"{name} by laser": value for name, value in with_laser.items()}
    aligned = pairs.align(codes[0], codes[0], np.array([0.03, -0.02, 1.0, 0.0], np.float32))
    found |= {"aligned": aligned.pose, "off": aligned.off, "moved": pairs.moved_off(codes[0])}
    return found | {"distances": pairs.distances(codes[0]), "threshold": np.array(pairs.threshold)}


def assert_alike(found: Any, wanted: Any) -> None:
    ours, theirs = answers(found), answers(wanted)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert ours[name].dtype == values.dtype or name == "threshold", name
        np.testing.assert_allclose(ours[name], values, atol=CLOSE, rtol=CLOSE, err_msg=name)
