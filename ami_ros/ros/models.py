"""The learned model of a process, loaded once however many nodes use it, and the robot's camera as that model sees by
it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ami_interfaces.msg import Adaptation
from ami_ros.core.camera import CameraMount, Rectifier, camera_of
from ami_ros.core.errors import AmiError
from ami_ros.core.images import MAX_PIXELS, image_of
from ami_ros.core.images import Image as Picture
from ami_ros.core.installation import importing
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.runtime.perception import place_camera
from ami_ros.world_model.adaptation import Weights, unpack
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.model_files import LoadedModel, identify_model, model_folder
from ami_ros.world_model.spec import InputSpec

Loaded = TypeVar("Loaded")
_loaded: dict[tuple[Callable[..., Any], Path], tuple[list[tuple[int, int, int]], Any]] = {}  # files as they were, model
_lock = threading.RLock()


def shared_arrays(folder: Path | None) -> LoadedModel:
    """The model in `folder`; loaded again if its files are others by now.

    Raises:
        AmiError: no folder given, or one that `load_inference` refuses.
    """
    return _shared(_load_arrays, folder)


def shared_model(folder: Path | None) -> LoadedModel:
    """The same for those who learn, in evaluation mode.

    Raises:
        AmiError: no folder given, or one that `load_model` refuses, or torch is not installed.
    """
    with importing("train"):
        import torch  # here: processes that do not learn do without its 190 MB

    from ami_ros.world_model.torch_model import load_model

    # One thread for each node's inference: more would compete for the cores.
    torch.set_num_threads(1)
    return _shared(load_model, folder)


def _shared(load: Callable[[Path], Loaded], folder: Path | None) -> Loaded:
    if folder is None:
        raise AmiError("parameter 'model' is not set; give the folder of a model, as ./ami train writes it")
    path = folder.expanduser().resolve()
    if (load, path) not in _loaded:
        path = model_folder(folder).resolve()
    with _lock:
        files = [(s.st_ino, s.st_size, s.st_mtime_ns) for s in map(Path.stat, sorted(path.glob("*")))]
        if (load, path) not in _loaded or _loaded[load, path][0] != files:
            _loaded[load, path] = files, load(path)
        found: Loaded = _loaded[load, path][1]
        return found


def _load_arrays(folder: Path) -> LoadedModel:
    if not identify_model(folder).spec.needs_torch:
        return load_inference(folder)
    loaded = shared_model(folder)
    return replace(loaded, model=on_arrays(loaded.model))


def weights_of(encoder_id: str) -> dict[str, Callable[[Adaptation], Weights]]:
    """Reads what was adapted in one model, as `RosBus.join` takes it; refuses what belongs to another."""

    def read(message: Adaptation) -> Weights:
        if message.encoder_id != encoder_id:
            raise AmiError(f"it belongs to the model {message.encoder_id}, not to {encoder_id}: ignored")
        return unpack(bytes(message.tensors), encoder_id, "a message")

    return {"adaptation": read}


class CalibratedCamera:
    """Decodes pictures for a node, and follows camera_info where the model knows its own camera.

    Args:
        inputs: of the model.
        compressed: the topic image has CompressedImage.
        max_pixels: larger pictures are refused before they are decoded.
        mount: where it sits.
        lookers: compare pictures, or make scans of them (None: nobody); they are told what the camera sees and where
            it sits.
    """

    def __init__(
        self,
        inputs: InputSpec,
        compressed: bool = False,
        max_pixels: int = MAX_PIXELS,
        mount: CameraMount | None = None,
        lookers: Sequence[Any] = (),
    ) -> None:
        self.message_type = CompressedImage if compressed else Image
        self._inputs = inputs
        self._max_pixels, self._mount, self._lookers = max_pixels, mount or CameraMount(), lookers
        place_camera(self._mount, None, *lookers)
        self._info: tuple[Any, ...] = ()  # as it was heard last
        self._rectifier: Rectifier | None = None
        self._misfit: AmiError | None = None

    def follow(self, node: AmiNode[Any]) -> None:
        """Has `node` hear camera_info, where that matters."""
        if self._inputs.image_size and self._inputs.field_of_view:
            node.subscribe(CameraInfo, "camera_info", self.take_info, always=True)

    def take_info(self, message: CameraInfo) -> None:
        """Keeps what it says, until it says something else."""
        info = (message.width, message.height, message.distortion_model, *message.k, *message.d)
        if info == self._info:
            return
        self._info, self._rectifier, self._misfit = info, None, None
        try:
            camera = camera_of(message)
            self._rectifier = (
                Rectifier(camera, self._inputs.field_of_view, self._inputs.narrowest) if camera is not None else None
            )
        except AmiError as error:
            self._misfit = error
        if self._rectifier is not None:
            place_camera(self._mount, self._rectifier.window, *self._lookers)

    def picture(self, message: Image | CompressedImage) -> Picture:
        """The picture (H, W, 3) RGB in a message, of the camera or of a goal.

        Raises:
            AmiError: see `image_of`; or the robot's camera cannot show what the model's camera would.
        """
        if self._misfit is not None:
            raise self._misfit
        image = image_of(message, self._max_pixels)
        return image if self._rectifier is None else self._rectifier(image)
