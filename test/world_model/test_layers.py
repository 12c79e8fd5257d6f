"""Layers on arrays, against the formulas that they stand for."""

from __future__ import annotations

import math
import warnings

import numpy as np

from ami_ros.world_model.layers import gelu, mlp, mlp_of_two, product


def test_gelu_is_right_wherever_activations_lie_and_beyond() -> None:
    x = np.concatenate([np.linspace(-60, 60, 20_001), [-1e10, -1e4, -8.0, 8.0, 1e4, 1e10]]).astype(np.float32)
    wanted = [float(v) * 0.5 * math.erfc(-float(v) / math.sqrt(2)) for v in x]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gelu(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=1e-6)


def test_a_stack_of_matrices_is_multiplied_as_one() -> None:
    rng = np.random.default_rng(0)
    x, matrix = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 4, 5), (5, 2)))
    np.testing.assert_allclose(product(x, matrix), x @ matrix, rtol=1e-5, atol=1e-6)
    assert product(x[0, 0], matrix).shape == (2,) and product(x[0], matrix).shape == (4, 2)


def test_an_mlp_of_two_inputs_takes_one_for_many_of_the_other() -> None:
    rng = np.random.default_rng(1)
    sizes = {"0": (6, 8), "2": (6, 6), "4": (2, 6)}
    weights = {f"head.{k}.weight": rng.normal(size=shape).astype(np.float32) for k, shape in sizes.items()}
    weights |= {f"head.{k}.bias": rng.normal(size=shape[0]).astype(np.float32) for k, shape in sizes.items()}
    many, one = rng.normal(size=(5, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    beside = mlp(weights, "head")(np.concatenate([many, np.broadcast_to(one, many.shape)], -1))
    np.testing.assert_allclose(mlp_of_two(weights, "head")(many, one), beside, rtol=1e-4, atol=1e-5)
