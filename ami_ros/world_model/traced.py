"""A model's functions as TorchScript: the interpreter's lock is given away once for each call.

Torch gives it away at each operation, and in a process of many threads it comes back a tenth of a millisecond later; a
rollout has some two hundred operations. Alone it takes two thirds of the time, too.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

SETTLED = 3  # calls after which TorchScript has done with optimising
_tracing = threading.Lock()  # torch traces one function at a time


class Traced:
    """A function of a module and tensors, without gradients; the first dimension of each tensor is the batch.

    It is traced for the first shapes that it meets, batches apart, and called as it is for others: a trace of a
    rollout takes up to 10 MB. All that depends on the batch must do so by way of `Tensor.shape`. Parameters and buffers
    are those of the module: what is changed in them in place counts at once.

    Args:
        module: whose weights are used.
        function: of the module and of tensors.
    """

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        self._module, self._function = module, function
        self._shapes: list[torch.Size] = []
        self._trace: nn.Module | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        """What the function gives: a tensor, or some."""
        shapes = [value.shape[1:] for value in inputs]
        if self._trace is None:
            with _tracing:
                self._shapes, self._trace = shapes, self._traced(inputs)
        return self._trace(*inputs) if shapes == self._shapes else self._function(self._module, *inputs)

    def _traced(self, inputs: tuple[Tensor, ...]) -> nn.Module:
        call = _Call(self._module, self._function).eval()
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            # Of shapes, which tests try; and that all this is old: what shall replace it needs a compiler on the robot.
            warnings.simplefilter("ignore")
            examples = tuple(value.clone() for value in inputs)
            trace = cast(nn.Module, torch.jit.trace(call, examples, check_trace=False))
            for _ in range(SETTLED):
                trace(*examples)
        return trace


class _Call(nn.Module):
    """A call of the function as a module: traces follow the weights of modules."""

    def __init__(self, module: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self._function = module, function

    def forward(self, *inputs: Tensor) -> Any:
        return self._function(self.module, *inputs)
