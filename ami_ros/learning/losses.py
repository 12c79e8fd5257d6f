"""Losses of the joint-embedding world model, each a plain function of tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ami_ros.learning.parallel import average, count, gather, rank


def vicreg(latents: Tensor, covariance: float = 0.04) -> Tensor:
    """Variance and covariance regularisation (VICReg, arXiv 2105.04906), without its invariance: prediction is that.

    Args:
        latents: (n, dim).
        covariance: weight of squared covariances beside that of deviations below 1; the paper has 1 beside 25.

    Returns:
        A scalar, 0 only if every number deviates by at least 1 and none tells anything of another.
    """
    rows = len(latents) * count()
    centred = latents - average(latents.mean(0))
    products = average(centred.T @ centred) * (count() / (rows - 1))
    variances = products.diagonal()
    narrow = functional.relu(1 - (variances + 1e-4).sqrt()).mean()
    return narrow + covariance * (products.square().sum() - variances.square().sum()) / latents.shape[1]


def rollout_loss(predicted: Tensor, latents: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error of open-loop predictions.

    Args:
        predicted: (starts, depth, batch, dim).
        latents: what was encoded there, same shape; gradients flow into both sides (no stop-gradient: the
            regulariser alone keeps the latent from collapsing, arXiv 2603.19312).
        valid: (starts, depth), False where the window ends before.
    """
    error = (predicted - latents).square().mean((-1, -2))
    return (error * valid).sum() / valid.sum()


def pose_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean of `pose_errors`."""
    return pose_errors(predicted, target).mean()


def pose_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """(...) smooth L1 between (…, 4) x, y [m], cos, sin and poses (…, 3) x, y [m], yaw [rad].

    Relative to the distance, for what decides whether a goal is reached are the last decimetres; and linear from a few
    centimetres on, or else the largest errors would have the say. The distance is the predicted one: weights by the
    true one count the nearer of two poses that look alike for more, and so everything is seen nearer than it is.
    """
    wanted = torch.stack([target[..., 0], target[..., 1], target[..., 2].cos(), target[..., 2].sin()], -1)
    error = functional.smooth_l1_loss(predicted, wanted, beta=0.05, reduction="none").mean(-1)
    distance = torch.hypot(predicted[..., 0], predicted[..., 1]).detach()
    return error / (0.3 + distance)


def relative_poses(first: Tensor, second: Tensor) -> Tensor:
    """The second poses (..., 3) in the frames of the first; x, y [m], yaw [rad], not wrapped."""
    c, s = first[..., 2].cos(), first[..., 2].sin()
    x, y, yaw = (second - first).unbind(-1)
    return torch.stack([c * x + s * y, c * y - s * x, yaw], -1)


def info_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Contrastive loss: row i of `queries` (n, d) belongs to row i of `keys`; all other rows, and those of other
    processes, are negatives."""
    labels = torch.arange(len(queries)) + rank() * len(queries)
    return functional.cross_entropy(queries @ gather(keys).T / temperature, labels)
