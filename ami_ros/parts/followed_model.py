"""A private copy of the model, which follows what was adapted."""

from __future__ import annotations

from typing import Any

from ami_ros.adaptation.weights import Weights, apply, check


class FollowedModel:
    """A model whose dynamics and colours follow what was adapted; encoder and heads are those of `trained`.

    `take` may be called on any thread; `refresh` on the one that uses the model, between two uses.
    """

    def __init__(self, trained: Any, encoder_id: str) -> None:
        self.model, self._trained, self.encoder_id = trained.private_copy(), trained, encoder_id
        self._pending: Weights | None = None

    def take(self, weights: Weights) -> None:
        """Raises AmiError if they do not fit."""
        check(weights, self._trained)
        self._pending = weights

    def refresh(self) -> None:
        """Uses what was taken last."""
        weights, self._pending = self._pending, None
        if weights is not None:
            apply(weights, self.model, self._trained)
