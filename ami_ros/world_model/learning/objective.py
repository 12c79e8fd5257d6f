"""What training minimises: the losses, and their weighted sum for one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ami_ros.world_model.learning.parallel import average, count, gather, rank
from ami_ros.world_model.learning.windows import Batch
from ami_ros.world_model.torch_model import WorldModel

# Losses of the joint-embedding world model, each a plain function of tensors.


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


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term; 0 leaves it out."""

    prediction: float = 1.0  # of latents, by rollouts from every start of a window
    vicreg: float = 1.0  # keeps the latent from collapsing
    inverse_dynamics: float = 1.0  # the commands between two latents
    relative_pose: float = 1.0  # between two latents, by odometry
    imagined_pose: float = 0.5  # the same of imagined latents
    contrast: float = 0.3  # frames of one stretch of time against all others
    motion: float = 1.0  # displacement during a model step
    goal: float = 1.0  # the latent from the picture alone


def dynamics_losses(model: WorldModel, batch: Batch, latents: Tensor) -> dict[str, Tensor]:
    """What commands do, all terms unweighted: of latents (frames, batch, dim), poses and displacements of a batch."""
    predicted, targets, valid = _predict(model, batch, latents)
    return {
        "prediction": rollout_loss(predicted, targets, valid),
        "imagined_pose": _imagined_pose(model, predicted[0], latents, batch),
        "motion": _motion(model, latents, batch),
    }


def _predict(model: WorldModel, batch: Batch, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rolls out from every start of the window at once.

    Returns predictions and targets (starts, depth, batch, dim), and which of them lie inside the window
    (starts, depth).
    """
    steps, size = batch.commands.shape[:2]
    current = latents[:steps].reshape(steps * size, -1)
    conditions = model.predictor.conditions(batch.commands / model.command_scale, batch.previous / model.command_scale)
    state = model.predictor.begin(current)
    predictions, targets = [], []
    valid = torch.zeros(steps, steps, dtype=torch.bool)
    for depth in range(steps):
        alive = steps - depth
        rows = alive * size
        step = [condition[depth:].flatten(0, 1) for condition in conditions]
        current, state = model.predictor.advance(current[:rows], state[:rows], step)
        valid[:alive, depth] = True
        padding = (0, 0, 0, 0, 0, depth)
        predictions.append(functional.pad(current.view(alive, size, -1), padding))
        targets.append(functional.pad(latents[depth + 1 : steps + 1], padding))
    return torch.stack(predictions, 1), torch.stack(targets, 1), valid


def losses(model: WorldModel, batch: Batch, weights: LossWeights, bfloat16: bool = False) -> dict[str, Tensor]:
    """All weighted terms by name; their sum is the objective.

    Args:
        model: in training mode.
        batch: windows, see `WindowSampler`.
        weights: of the terms.
        bfloat16: run the encoder, where the time goes, in bfloat16; all losses stay in float32.
    """
    size = batch.commands.shape[1]
    steps = batch.commands.shape[0]
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        latent, features = model.encoder(batch.sensors)
    latent = latent.float()
    features = features.float() if features is not None else None
    latents = latent.view(-1, size, latent.shape[-1])
    commands = batch.commands / model.command_scale
    terms: dict[str, Tensor] = {}
    predicted, targets, valid = _predict(model, batch, latents)
    terms["prediction"] = rollout_loss(predicted, targets, valid)
    terms["vicreg"] = vicreg(latent)
    pairs = torch.cat([latents[:steps], latents[1 : steps + 1]], -1)
    terms["inverse_dynamics"] = functional.mse_loss(model.inverse_dynamics(pairs), commands.flatten(2))
    columns = torch.arange(size)
    first, second = latents[batch.pairs[..., 0], columns], latents[batch.pairs[..., 1], columns]
    seen = relative_poses(batch.poses[batch.pairs[..., 0], columns], batch.poses[batch.pairs[..., 1], columns])
    terms["relative_pose"] = pose_loss(model.relative_pose(first, second), seen)
    terms["imagined_pose"] = _imagined_pose(model, predicted[0], latents, batch)
    terms["contrast"] = _contrast(model, latents, steps)
    terms["motion"] = _motion(model, latents, batch)
    if model.goal_head is not None and features is not None:
        terms["goal"] = functional.mse_loss(model.goal_head(features.float()), latent.detach())
    return {name: getattr(weights, name) * value for name, value in terms.items() if getattr(weights, name)}


def _motion(model: WorldModel, latents: Tensor, batch: Batch) -> Tensor:
    """The displacement in each step; latents (frames, batch, dim) learn nothing from it."""
    flat = latents[: len(batch.commands)].flatten(0, 1).detach()
    commands, previous = batch.commands / model.command_scale, batch.previous / model.command_scale
    motion = model.motion(flat, commands.flatten(0, 1), previous.flatten(0, 1))
    return functional.smooth_l1_loss(motion, batch.motions.flatten(0, 1), beta=0.02)


def _imagined_pose(model: WorldModel, imagined: Tensor, latents: Tensor, batch: Batch) -> Tensor:
    """The planner measures imagined latents (depth, batch, dim) in metres, so the head must read those, too.

    They are compared with the window's last frame, which is a far one where there are any.
    """
    goal = latents[-1].expand_as(imagined)
    steps = len(imagined)
    poses = relative_poses(batch.poses[1 : steps + 1], batch.poses[-1])
    return pose_loss(model.relative_pose(imagined, goal), poses)


def _contrast(model: WorldModel, latents: Tensor, steps: int) -> Tensor:
    """The far frames of a window belong to its first and last frame; those of other windows do not."""
    keys = latents[steps + 1 :]
    if not len(keys):
        return latents.new_zeros(())
    anchors = [latents[0], latents[steps]]
    pairs = [(anchors[i % 2], key) for i, key in enumerate(keys)]
    temperature = model.contrast.temperature
    values = [info_nce(model.contrast.queries(a), model.contrast.keys(k), temperature) for a, k in pairs]
    return torch.stack(values).mean()
