"""Adaptation between nodes: `world_model` learns and publishes, nodes that predict follow. Both sides are here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ami_interfaces.msg import Adaptation
from ami_interfaces.srv import ChangeAdaptation
from ami_ros.adaptation.journal import Journal, Step
from ami_ros.adaptation.segments import Segment
from ami_ros.adaptation.weights import (
    AdaptationConfig,
    Weights,
    load_weights,
    pack,
    save_weights,
    unpack,
)  # fmt: skip
from ami_ros.config import parameter
from ami_ros.errors import AmiError
from ami_ros.parts.followed_model import FollowedModel
from ami_ros.ros.models import shared_model
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import LATCHED

if TYPE_CHECKING:  # who does not learn does without torch
    from ami_ros.adaptation.adapter import Adapter

TOPIC = "adaptation"


@dataclass(frozen=True)
class AdaptationParameters:
    """Whether the world model keeps learning while the robot drives."""

    enabled: bool = parameter(False, "Keep learning while driving; the planner uses what was learned.")
    file: Path | None = parameter(
        None, "File in which ~/adaptation keeps what was learned; read at start if it exists. Empty: nothing is kept."
    )
    journal: Path | None = parameter(None, "File that gets a line of JSON for every step; empty: none.")
    learning: AdaptationConfig = field(default_factory=AdaptationConfig)


def weights_of(encoder_id: str) -> dict[str, Callable[[Adaptation], Weights]]:
    """Reads what was adapted in one model, as `RosBus.join` takes it; refuses what belongs to another."""

    def read(message: Adaptation) -> Weights:
        if message.encoder_id != encoder_id:
            raise AmiError(f"it belongs to the model {message.encoder_id}, not to {encoder_id}: ignored")
        return unpack(bytes(message.tensors), encoder_id, "a message")

    return {TOPIC: read}


class AdaptationDesk:
    """Learns from segments and reports it: topic `adaptation`, service `~/adaptation`, journal, log.

    A `Learner` of the part `world_model`. `take` may be called on another thread than the node's. With adaptation off,
    the service says so.

    Args:
        node: to publish and answer for.
        folder: of the model.
        followed: the node's own copy of it.
        config: of the adaptation.
    """

    def __init__(
        self, node: AmiNode[Any], folder: Path | None, followed: FollowedModel, config: AdaptationParameters
    ) -> None:
        self._node, self._encoder_id, self._followed = node, followed.encoder_id, followed
        file = config.file.expanduser() if config.file else None
        self._file = file
        self._adapter, self._journal = None, None
        if config.enabled:
            weights = load_weights(file, followed.encoder_id) if file and file.is_file() else None
            trained = shared_model(folder).model  # which says it if there is no torch
            from ami_ros.adaptation.adapter import Adapter

            self._adapter = Adapter(trained, config.learning, weights)
            self._journal = Journal(config.journal.expanduser()) if config.journal else None
        self.looks = self._adapter is not None and config.learning.colours  # segments need what the sensors gave
        self._lock = threading.Lock()
        self._published = -1
        self._publisher = node.publisher(Adaptation, TOPIC, LATCHED)
        node.offer(ChangeAdaptation, "~/adaptation", self._change)

    def begin(self) -> None:
        """Publishes the present state; the node is active from now on."""
        with self._lock:
            if self._adapter is not None:
                self._publish(self._adapter)

    def take(self, segment: Segment) -> None:
        """Learns, and publishes if the weights in use changed: to this node's own model, too."""
        adapter = self._adapter
        if adapter is None:
            return
        with self._lock:
            in_use = adapter.in_use
            step = adapter.observe(segment)
            if step is not None:
                self._record(step, adapter)
            if adapter.in_use != in_use:
                self._node.get_logger().info(f"adaptation: {_summary(adapter)}")
            if adapter.version != self._published:
                self._publish(adapter)

    def _record(self, step: Step, adapter: Adapter) -> None:
        verdict = "kept" if step.kept else f"rolled back, {step.reason}"
        self._node.get_logger().info(
            f"adaptation step {step.number} ({step.part}): {verdict}; "
            f"held-out loss {step.loss_before:.4f} -> {step.loss_after:.4f}"
        )
        if self._journal is not None:
            self._journal.write(step, adapter.in_use, adapter.model.drive.tolist(), adapter.model.colours.tolist())

    def _publish(self, adapter: Adapter) -> None:
        """To all followers, including this node's own model."""
        weights = adapter.weights_in_use
        self._followed.take(weights)
        self._published = adapter.version
        trained, adapted = adapter.losses
        message = Adaptation(
            encoder_id=self._encoder_id,
            version=adapter.version,
            state=Adaptation.FROZEN if adapter.frozen else Adaptation.LEARNING,
            in_use=adapter.in_use,
            num_steps=adapter.kept,
            num_rolled_back=adapter.rolled_back,
            loss_trained=trained,
            loss_adapted=adapted,
            summary=_summary(adapter),
            tensors=pack(weights, self._encoder_id),
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _change(self, request: ChangeAdaptation.Request, response: ChangeAdaptation.Response) -> None:
        codes, adapter = ChangeAdaptation.Response, self._adapter
        if adapter is None:
            raise AmiError("adaptation is off; start world_model with adaptation.enabled", codes.NOT_ENABLED)
        with self._lock:
            if request.action in (request.LEARN, request.FREEZE):
                adapter.frozen = request.action == request.FREEZE
            elif request.action == request.REVERT:
                adapter.revert()
                if self._file is not None:
                    self._file.unlink(missing_ok=True)
            elif request.action == request.KEEP:
                self._keep(adapter)
            else:
                raise AmiError("adaptation: action is one of LEARN, FREEZE, REVERT, KEEP", codes.INVALID_INPUT)
            self._publish(adapter)
        self._node.get_logger().info(f"adaptation: {_summary(adapter)}")

    def _keep(self, adapter: Adapter) -> None:
        codes = ChangeAdaptation.Response
        if self._file is None:
            raise AmiError("adaptation: there is no file to keep it in; set adaptation.file", codes.INVALID_INPUT)
        try:
            save_weights(self._file, adapter.weights, self._encoder_id)
        except AmiError as error:
            raise AmiError(str(error), codes.WRITE_FAILED) from error


def _summary(adapter: Adapter) -> str:
    trained, adapted = adapter.losses
    use = "adapted model in use" if adapter.in_use else "model in use as it was trained"
    learned = f"drive {_rounded(adapter.model.drive.tolist())}"
    if adapter.config.colours:
        learned += f", colours {_rounded(adapter.model.colours.tolist())}"
    return f"{use}; loss {trained:.3f} as trained, {adapted:.3f} adapted; {learned}"


def _rounded(rows: list[list[float]]) -> str:
    return "[" + ", ".join("[" + ", ".join(f"{v:.2f}" for v in row) + "]" for row in rows) + "]"
