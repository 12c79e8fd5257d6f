"""Types and figures of what nodes ask of a model, in arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.world_model.layers import Floats as Floats

Bytes = NDArray[np.uint8]

AS_TRAINED = np.array([[1.0, 0.0]] * 3, np.float32)  # colours: gain 1 and offset 0 of each
MIDDLE = 127.5  # grey, about which a camera's gain is taken: so it and the offset hardly depend on each other


def accumulated(disagreement: Any) -> Any:
    """Errors to expect after each step of a rollout (batch, steps), of those that each step adds; arrays or tensors."""
    return (disagreement * disagreement).cumsum(-1) ** 0.5
