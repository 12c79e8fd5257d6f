"""Vision transformers from local files: DINOv2, DINOv3 and others by timm, V-JEPA 2 and others by transformers.

Optional: the extra `frozen`. Nothing is ever downloaded or unpickled.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.errors import AmiError
from ami_ros.world_model.spec import FrozenSpec, ModelSpec

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of each colour
FOLDER_FILES = ("config.json", "model.safetensors")


class FrozenNetwork:
    """Pictures -> features, without gradients.

    Args:
        tokens: pictures (batch, 3, size, size), normalised -> (batch, tokens, dim); those of the picture's fields last.
        fields: a side of the picture has so many of them.
        grid: a side of the picture is divided into so many parts, over which tokens are averaged.
        size: [px] that `tokens` takes.
        colours: mean and deviation of each.
    """

    def __init__(
        self,
        tokens: Callable[[Tensor], Tensor],
        fields: int,
        grid: int,
        size: int,
        colours: tuple[tuple[float, ...], tuple[float, ...]],
    ) -> None:
        self._tokens, self._fields, self._grid, self._size = tokens, fields, grid, size
        self._mean, self._deviation = (torch.tensor(values).view(3, 1, 1) for values in colours)

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        """(batch, 3, any, any) uint8 RGB -> (batch, dim * (grid^2 + 1)): the first token, and each part's mean."""
        x = functional.interpolate(image.float() / 255, (self._size, self._size), mode="bilinear", antialias=True)
        tokens = self._tokens((x - self._mean) / self._deviation).float()
        first = tokens.shape[1] - self._fields**2
        fields = tokens[:, first:].transpose(1, 2).unflatten(2, (self._fields, self._fields))
        whole = tokens[:, 0] if first else tokens.mean(1)
        parts = functional.adaptive_avg_pool2d(fields, self._grid)
        return torch.cat([whole, parts.flatten(1)], 1)


class FrozenEncoder(nn.Module):
    """Takes pictures, or what the network made of them before (`learning.feature_cache`).

    The network is no part of this module: its weights are neither trained nor saved with the model.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.frozen, width = spec.frozen, spec.encoder_width
        if not self.frozen.width:
            raise ValueError("frozen.width is not known yet: see frozen_network.identified")
        self.projection = nn.Sequential(
            nn.LayerNorm(self.frozen.width), nn.Linear(self.frozen.width, 2 * width), nn.GELU(),
            nn.Linear(2 * width, width), nn.LayerNorm(width),
        )  # fmt: skip
        self._network: FrozenNetwork | None = None

    def attach(self, folder: Path) -> None:
        """Opens the network now rather than at the first picture; `folder` is that of the model.

        Raises:
            AmiError: as `open_network`.
        """
        self._network = open_network(self.frozen, folder)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8, or features (batch, frozen.width) -> (batch, encoder_width)."""
        if image.ndim == 4:
            if self._network is None:
                self._network = open_network(self.frozen)
            image = self._network(image)
        features: Tensor = self.projection(image.float())
        return features


def identified(spec: ModelSpec) -> ModelSpec:
    """`spec` with the hash of the weights that it names, and the number of their features; others stay as they are.

    Raises:
        AmiError: the extra is not installed, or the weights are missing or no vision transformer's.
    """
    if spec.image_encoder != "frozen":
        return spec
    path = Path(spec.frozen.weights).resolve()  # training may go on from another folder
    frozen = replace(spec.frozen, weights=str(path), sha256=digest_of(path))
    width = open_network(frozen)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape[1]
    return replace(spec, frozen=replace(frozen, width=width))


def open_network(frozen: FrozenSpec, beside: Path | None = None) -> FrozenNetwork:
    """The network of a spec.

    Args:
        frozen: says which; its hash must be that of the weights.
        beside: a folder where the weights may lie, too, by their name: that of the model.

    Raises:
        AmiError: the extra is not installed, or the weights are missing, others, or no vision transformer's.
    """
    path = Path(frozen.weights)
    if beside is not None and (beside / path.name).exists():
        path = beside / path.name
    found = digest_of(path)
    if found != frozen.sha256:
        raise AmiError(f"frozen features: {path} has hash {found[:12]}, the model needs {frozen.sha256[:12]}")
    return _load(path, frozen.architecture, frozen.size, frozen.grid, found)


def digest_of(path: Path) -> str:
    """SHA-256 of a file of weights, or of configuration and weights in a folder."""
    files = [path / name for name in FOLDER_FILES] if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        if not file.is_file():
            raise AmiError(f"frozen features: there is no {file}; name the weights by spec.frozen.weights")
        if file.suffix not in (".safetensors", ".json"):
            raise AmiError(f"frozen features: {file} is no .safetensors, and nothing else is read; convert it")
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()


@lru_cache(maxsize=2)
def _load(path: Path, architecture: str, size: int, grid: int, _digest: str) -> FrozenNetwork:
    tokens, patch, colours = _by_transformers(path, size) if path.is_dir() else _by_timm(path, architecture)
    if size % patch or size // patch < grid:
        raise AmiError(
            f"frozen features: size {size} must be a multiple of {patch} px, and hold {grid} x {grid} of them"
        )
    return FrozenNetwork(tokens, size // patch, grid, size, colours)


Parts = tuple[Callable[[Tensor], Tensor], int, tuple[tuple[float, ...], tuple[float, ...]]]


def _by_timm(file: Path, architecture: str) -> Parts:
    timm = _needs("timm")
    try:
        network = timm.create_model(architecture, pretrained=False, num_classes=0, dynamic_img_size=True)
        weights = {name: value for name, value in load_file(file).items() if not name.startswith("head.")}
        network.load_state_dict(weights)
        patch = int(network.patch_embed.patch_size[0])
    except (RuntimeError, TypeError, AttributeError, SafetensorError, OSError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise AmiError(f"frozen features: {file} is no vision transformer {architecture}: {first}") from error
    network.eval().requires_grad_(False)
    colours = network.pretrained_cfg
    return network.forward_features, patch, (tuple(colours["mean"]), tuple(colours["std"]))


def _by_transformers(folder: Path, size: int) -> Parts:
    transformers = _needs("transformers")
    try:
        network = transformers.AutoModel.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        config, patch = network.config, int(network.config.patch_size)
    except (RuntimeError, TypeError, AttributeError, ValueError, SafetensorError, OSError) as error:
        first = str(error).strip().splitlines()[0].strip()
        raise AmiError(f"frozen features: {folder} is no vision transformer: {first}") from error
    network.eval().requires_grad_(False).float()
    if config.model_type != "vjepa2":
        return lambda x: network(pixel_values=x).last_hidden_state, patch, _colours(folder)
    if size != config.crop_size:
        raise AmiError(
            f"frozen features: {folder} takes pictures of {config.crop_size} px: set spec.frozen.size to that"
        )
    # A film in which nothing moves, as long as one token.
    frames = config.tubelet_size

    def tokens(x: Tensor) -> Tensor:
        film = x[:, None].expand(-1, frames, -1, -1, -1)
        found: Tensor = network(pixel_values_videos=film, skip_predictor=True).last_hidden_state
        return found

    return tokens, patch, _colours(folder)


def _colours(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        if (folder / name).is_file():
            values = json.loads((folder / name).read_text("utf-8"))
            return tuple(values["image_mean"]), tuple(values["image_std"])
    return IMAGENET


def _needs(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise AmiError(
            f"{package} is not installed; it is in the extra frozen: pip install -r requirements/frozen.txt"
        ) from None
