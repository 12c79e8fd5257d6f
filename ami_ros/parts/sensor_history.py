"""What the sensors gave in the last seconds, to look up what a latent was made of."""

from __future__ import annotations

from collections import deque
from typing import Any

from ami_ros.parts.ports import IMAGE, SCAN
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import Sensors

KEPT = 16  # values of each stream; pictures are decoded only when they are asked for
SAME_PICTURE = 1e-4  # a latent bears the stamp of its picture; stamps differ by less [s]
SAME_MOMENT = 0.25  # as far apart a scan may be [s]; as perception's default


class SensorHistory:
    """Values of the streams that a model's latents are made of, by their stamps.

    Args:
        perception: of the model.
    """

    def __init__(self, perception: Perception) -> None:
        self._perception, inputs = perception, perception.inputs
        wanted = {IMAGE.name: inputs.image_size > 0, SCAN.name: inputs.scan_beams > 0}
        self._kept: dict[str, deque[tuple[float, Any]]] = {
            k: deque(maxlen=KEPT) for k, needed in wanted.items() if needed
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Of the streams."""
        return tuple(self._kept)

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        for kept in self._kept.values():
            kept.clear()

    def take(self, name: str, stamp: float, value: Any) -> None:
        """One more, of the stream of that name."""
        if name in self._kept:
            self._kept[name].append((stamp, value))

    def at(self, stamp: float) -> Sensors | None:
        """What the latent of `stamp` [s] was made of, a batch of one; None where it is not known.

        Raises:
            AmiError: a picture is malformed.
        """
        found = {name: self._nearest(name, stamp) for name in self._kept}
        if any(value is None for value in found.values()):
            return None
        picture = found.get(IMAGE.name)
        return self._perception.sensors(picture and picture(), found.get(SCAN.name))

    def _nearest(self, name: str, stamp: float) -> Any:
        """The value nearest to `stamp`, if it is of the same moment; else None."""
        apart = SAME_PICTURE if name == IMAGE.name else SAME_MOMENT
        found = min(self._kept[name], key=lambda kept: abs(kept[0] - stamp), default=None)
        return found[1] if found is not None and abs(found[0] - stamp) <= apart else None
