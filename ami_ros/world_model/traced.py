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

    It is traced for the first shapes that it meets, batches apart, so all that depends on a shape must do so by way of
    `Tensor.shape`. Parameters and buffers are those of the module: what is changed in them in place counts at once.

    Args:
        module: whose weights are used.
        function: of the module and of inputs; an input may be None.
        most: shapes that are traced, the first ones; one of a rollout takes up to 10 MB.
    """

    def __init__(self, module: nn.Module, function: Callable[..., Any], most: int = 1) -> None:
        self._module, self._function, self._most = module, function, most
        self._traces: dict[tuple[torch.Size | None, ...], nn.Module] = {}

    def __call__(self, *inputs: Tensor | None) -> Any:
        """What the function gives: a tensor, or some."""
        shapes = tuple(None if value is None else value.shape[1:] for value in inputs)
        trace = self._traces.get(shapes)
        if trace is None:
            if len(self._traces) == self._most:
                return self._function(self._module, *inputs)
            trace = self._traces[shapes] = self._trace(*inputs)
        return trace(*(value for value in inputs if value is not None))

    def _trace(self, *inputs: Tensor | None) -> nn.Module:
        """For inputs like these, without those that are None."""
        call = _Call(self._module, self._function, [value is None for value in inputs]).eval()
        with _tracing, torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            # Of shapes, which tests try; and that all this is old: what shall replace it needs a compiler on the robot.
            warnings.simplefilter("ignore")
            examples = tuple(value.clone() for value in inputs if value is not None)
            trace = cast(nn.Module, torch.jit.trace(call, examples, check_trace=False))
        for _ in range(SETTLED):
            trace(*examples)
        return trace


class _Call(nn.Module):
    """A call of the function as a module: traces follow the weights of modules."""

    def __init__(self, module: nn.Module, function: Callable[..., Any], absent: list[bool]) -> None:
        super().__init__()
        self.module, self._function, self._absent = module, function, absent

    def forward(self, *given: Tensor) -> Any:
        there = iter(given)
        return self._function(self.module, *(None if absent else next(there) for absent in self._absent))
