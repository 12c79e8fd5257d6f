"""Training on several processes or machines, started by torchrun: what they have to agree on.

Each process takes its share of every batch; gradients are averaged. With that alone two kinds of terms would be those
of a share, not of the batch, so they are shared, with gradients: statistics over the batch (BatchNorm, SIGReg) by their
means, and what is compared with all others (InfoNCE's keys) by gathering it. Without torchrun all this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ami_ros.core.errors import AmiError

PATIENCE = timedelta(days=1)  # while one process extracts bags, the others wait


@contextmanager
def processes() -> Iterator[None]:
    """Inside, the processes that torchrun started (RANK and WORLD_SIZE in the environment) are one group.

    Raises:
        AmiError: they do not find each other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise AmiError(f"train: its processes do not find each other: {reason}; start them by torchrun") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this one; number 0 writes and reports."""
    return dist.get_rank() if dist.is_initialized() else 0


def share_of(windows: int) -> slice:
    """This process's windows of a batch.

    Raises:
        AmiError: they cannot be shared out evenly, which the means would need.
    """
    if windows % count():
        raise AmiError(f"train: a batch of {windows} windows cannot be shared by {count()} processes; set batch")
    return slice(rank(), None, count())


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _averaged(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _averaged(gradient)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        parts = [torch.empty_like(value) for _ in range(count())]
        dist.all_gather(parts, value.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(count())[rank()]


def _averaged(value: Tensor) -> Tensor:
    total = value.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total / count()


def average(value: Tensor) -> Tensor:
    """The mean of `value` over all processes, with gradients into each."""
    if count() == 1:
        return value
    averaged: Tensor = _Average.apply(value)
    return averaged


def gather(value: Tensor) -> Tensor:
    """Rows (n, ...) of all processes behind one another (count * n, ...), with gradients into each."""
    if count() == 1:
        return value
    gathered: Tensor = _Gather.apply(value)
    return gathered


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces all gradients by their means over the processes, in one message."""
    if count() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = _averaged(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def from_first(content: bytes) -> bytes:
    """What process 0 gives as `content`, on all of them."""
    if count() == 1:
        return content
    size = torch.tensor(len(content))
    dist.broadcast(size, 0)
    data = torch.empty(int(size), dtype=torch.uint8)
    if rank() == 0:
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else data
    dist.broadcast(data, 0)
    return data.numpy().tobytes()


def wait_for_first() -> None:
    """Returns in process 0 at once, in the others when it has called this, too."""
    from_first(b"")


class SharedBatchNorm(nn.BatchNorm1d):
    """BatchNorm (n, features) over the batch of all processes; torch has it for graphics cards alone."""

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.BatchNorm1d`; every process has to come by, with as many rows."""
        if not self.training or count() == 1:
            return super().forward(x)
        x = x.float()
        means, variances = gather(torch.stack([x.mean(0), x.var(0, correction=0)])[None]).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + means.var(0, correction=0)
        self._remember(mean.detach(), variance.detach(), len(x) * count())
        normal = (x - mean) * torch.rsqrt(variance + self.eps)
        return normal if self.weight is None else torch.addcmul(self.bias, normal, self.weight)

    def _remember(self, mean: Tensor, variance: Tensor, rows: int) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (rows / (rows - 1)), self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def share_statistics(module: nn.Module) -> None:
    """Makes every BatchNorm1d inside `module` one over all processes; its state stays."""
    if count() == 1:
        return
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm1d:
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum, child.affine)
            shared.load_state_dict(child.state_dict())
            setattr(module, name, shared)
        else:
            share_statistics(child)
