"""The networks of a world model, each written once: what encodes sensors, foretells, and is read out of latents.

`nn` has their layers, see `layers`. None is learned with a label: all learn from the robot's own logs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ami_ros.world_model.layers import Network, Values, float32, gelu, joined, kind_of, linear, unit, unshuffled
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors

MakeEncoder = Callable[[ModelSpec], Any]  # (batch, 3, size, size) uint8 -> (batch, encoder_width)


def mlp(nn: Any, inputs: int, width: int, outputs: int) -> Any:
    """Two hidden layers with GELU."""
    layers = nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, outputs)
    return nn.Sequential(*layers)


class ConvolutionEncoder(Network):
    """A stem that unshuffles and three strided convolutions.

    Unshuffling first keeps the expensive full-resolution convolution out: two to four times faster on a
    CPU than a plain stack of strided convolutions. GroupNorm, since single frames are encoded on the robot.
    """

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        size, width = spec.inputs.image_size, spec.encoder_width
        layers = [nn.Sequential()]  # weights are counted from 1, in the files of models
        for a, b in pairwise((12, 48, 96, 128)):
            layers += [nn.Conv2d(a, b, 3, 2), nn.GroupNorm(8, b), nn.GELU()]
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(128 * (size // 16) ** 2, width), nn.LayerNorm(width))

    def forward(self, image: Values) -> Values:
        """(batch, 3, size, size) uint8 -> (batch, encoder_width)."""
        return self.linear(self.convolutions(unshuffled(self.pixels(image), 2)))

    def pixels(self, image: Values) -> Values:
        """(batch, 3, size, size) uint8 -> float, about 0; encoders of plugins prepare pictures here."""
        return float32(image / 255 - 0.5)


class ScanEncoder(Network):
    """Circular convolutions over the beams of a full turn."""

    def __init__(self, nn: Any, inputs: InputSpec, width: int) -> None:
        self.range = inputs.scan_range
        layers, length = [], inputs.scan_beams
        for a, b in pairwise((2, 32, 64, 64)):
            layers += [nn.Conv1d(a, b, 5, 2, circular=True), nn.GELU()]
            length = (length + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * length, width), nn.LayerNorm(width))

    def forward(self, scan: Values) -> Values:
        """(batch, beams) [m] -> (batch, width)."""
        near, xp = scan.clip(max=self.range), kind_of(scan)
        return self.layers(xp.stack([near / self.range, xp.exp(-near)], -1))


class Encoder(Network):
    """Joins the branches of all inputs into one latent.

    The last BatchNorm (no affine part) fixes the scale of the latent, which the predictor would otherwise
    shrink; SIGReg then only has to shape the distribution (LeJEPA, arXiv 2511.08544).
    """

    def __init__(self, nn: Any, spec: ModelSpec, make_encoder: MakeEncoder) -> None:
        inputs, width = spec.inputs, spec.encoder_width
        self.image = make_encoder(spec) if inputs.image_size else None
        self.scan = nn.network(ScanEncoder, inputs, width // 2) if inputs.scan_beams else None
        branches = width * bool(inputs.image_size) + width // 2 * bool(inputs.scan_beams)
        first, last = nn.Linear(branches, 2 * width), nn.Linear(2 * width, spec.latent_dim)
        self.join = nn.Sequential(first, nn.GELU(), last, nn.BatchNorm1d(spec.latent_dim))

    def features(self, image: Values) -> Values:
        """The image branch alone: (batch, 3, size, size) uint8 -> (batch, encoder_width)."""
        assert self.image is not None
        return self.image(image)

    def forward(self, sensors: Sensors) -> tuple[Values, Values | None]:
        """Returns the latent (batch, latent_dim) and, with an image, its features (batch, encoder_width)."""
        features = None if self.image is None else self.features(sensors.image)
        parts = [] if features is None else [float32(features)]
        if self.scan is not None:
            parts.append(float32(self.scan(sensors.scan)))
        return self.join(joined(*parts)), features


class Predictor(Network):
    """One model step: `chunk` commands, each held for one period.

    The command that was in force before the chunk is part of the input: a robot with inertia moves
    differently from rest than at speed, and one frame does not show which.

    A predictor may remember the steps of a rollout. That is its state, whose first dimension is the batch, so that
    whoever rolls out can drop or join rows without knowing what it holds.

    At first it predicts that nothing changes: what it adds to the latent leaves by a layer of zeros.
    """

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        width = spec.predictor_width
        first = nn.Linear(spec.command_dim * (spec.chunk + 1), width)
        self.enter = nn.Linear(spec.latent_dim, width)
        self.condition = nn.Sequential(first, nn.GELU(), nn.Linear(width, width))
        self.leave = nn.zeroed(nn.Linear(width, spec.latent_dim))

    def forward(self, latent: Values, chunk: Values, previous: Values) -> Values:
        """The first step of a rollout.

        Args:
            latent: (batch, latent_dim).
            chunk: (batch, chunk, command_dim), commands in units of the spec's maxima [-].
            previous: (batch, command_dim), the command before, likewise.

        Returns:
            (batch, latent_dim).
        """
        return self.advance(latent, self.begin(latent), self.conditions(chunk, previous))[0]

    def begin(self, latent: Values) -> Values:
        """The state before the first step of a rollout from `latent` (batch, latent_dim); here it is empty."""
        return latent[:, :0]

    def conditions(self, chunk: Values, previous: Values) -> list[Values]:
        """What commands (..., chunk, command_dim) and those before them (..., command_dim) do: (..., n) each.

        The latent has no part in it. Takes any leading shape, so that a rollout needs one call for all its steps.
        """
        raise NotImplementedError

    def advance(self, latent: Values, state: Values, conditions: list[Values]) -> tuple[Values, Values]:
        """One step ahead.

        Args:
            latent: (batch, latent_dim).
            state: of `begin`, or of the step before.
            conditions: of this step, (batch, n) each.

        Returns:
            The next latent (batch, latent_dim), and the state for the step after.
        """
        raise NotImplementedError

    def _condition(self, chunk: Values, previous: Values) -> Values:
        """Commands as features (..., width)."""
        return self.condition(joined(previous, _flat(chunk)))


class AdaptiveBlock(Network):
    """Residual MLP whose normalisation is modulated by the commands (AdaLN-zero, arXiv 2212.09748)."""

    def __init__(self, nn: Any, width: int) -> None:
        self.width, self.norm = width, nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.zeroed(nn.Linear(width, 3 * width))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Values, modulation: Values) -> Values:
        """(batch, width), modulated by what `modulation` made of the commands (batch, 3 * width)."""
        scale, shift, gate = (modulation[..., k * self.width : (k + 1) * self.width] for k in range(3))
        return x + gate * self.mlp(self.norm(x) * (1 + scale) + shift)


class ResidualPredictor(Predictor):
    """A residual MLP; the commands modulate its blocks."""

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        super().__init__(nn, spec)
        width = spec.predictor_width
        self.blocks = nn.ModuleList([nn.network(AdaptiveBlock, width) for _ in range(spec.predictor_blocks)])

    def conditions(self, chunk: Values, previous: Values) -> list[Values]:
        """The modulation of each block, (..., 3 * width)."""
        condition = self._condition(chunk, previous)
        return [block.modulation(condition) for block in self.blocks]

    def advance(self, latent: Values, state: Values, conditions: list[Values]) -> tuple[Values, Values]:
        """As `Predictor.advance`; the state stays empty."""
        x = self.enter(latent)
        for block, modulation in zip(self.blocks, conditions, strict=True):
            x = block(x, modulation)
        return latent + self.leave(x), state


class SightingHead(Network):
    """Where a picture was taken, seen from a moment that has a picture of its own.

    A picture shows less than the latent knows, so a latent that is guessed from it (`Model.encode_goal`) is off,
    and always by the same: many looks at it do not average out, and a robot stops where the guess is right. Two codes
    of one encoder err alike. Where the pictures are the same, so are the codes, and the goal is here.
    """

    def __init__(self, nn: Any, spec: ModelSpec, make_encoder: MakeEncoder) -> None:
        self.encoder = make_encoder(spec)
        self.out = nn.Linear(spec.encoder_width, spec.sight_code)
        self.head = mlp(nn, spec.latent_dim + 2 * spec.sight_code, 3 * spec.head_width // 2, 5)

    def code(self, image: Values) -> Values:
        """(batch, 3, size, size) uint8 -> (batch, sight_code)."""
        return self.out(float32(self.encoder(image)))

    def forward(self, latent: Values, here: Values, there: Values) -> Values:
        """Compares.

        Args:
            latent: (..., latent_dim) of a moment.
            here: (..., sight_code), what the camera saw then.
            there: (..., sight_code) of the other picture.

        Returns:
            (..., 5): x, y [m], cos, sin of the other picture's yaw in the moment's base frame, and the logarithm of how
            far off x and y are to be expected [m].
        """
        out = self.head(joined(latent, here, there))
        return joined(out[..., :2], unit(out[..., 2:4], 1e-6), out[..., 4:].clip(-5.0, 2.0))


class RelativePose(Network):
    """Where the second latent was taken, seen from the first: the energy in metres.

    Trained on odometry over pairs of one run, so it needs no common frame of different runs.
    """

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        self.layers = mlp(nn, 2 * spec.latent_dim, spec.head_width, 4)

    def forward(self, first: Values, second: Values) -> Values:
        """(..., latent_dim) twice, one of which may be one for many of the other -> (..., 4): x, y [m], cos, sin of the
        second's yaw in the first's base frame."""
        enter, *rest = self.layers
        half = first.shape[-1]
        out = linear(first, enter.weight[:, :half]) + linear(second, enter.weight[:, half:], enter.bias)
        for layer in rest:
            out = layer(out)
        return joined(out[..., :2], unit(out[..., 2:], 1e-6))


class Motion(Network):
    """Displacement of the base during one chunk, as odometry would measure it; knows walls through the latent."""

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        self.layers = mlp(nn, spec.latent_dim + spec.command_dim * (spec.chunk + 1), spec.head_width // 2, 3)

    def forward(self, latent: Values, chunk: Values, previous: Values) -> Values:
        """As `Predictor`, of any leading shape -> (..., 3): x [m], y [m], yaw [rad] in the base frame at the start of
        the chunk."""
        return self.layers(joined(latent, previous, _flat(chunk)))


class Contrast(Network):
    """How likely it is that two latents belong to one stretch of time, that is, to one place (InfoNCE critic)."""

    temperature = 0.1

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        self.query = mlp(nn, spec.latent_dim, spec.head_width, spec.contrast_dim)
        self.key = mlp(nn, spec.latent_dim, spec.head_width, spec.contrast_dim)

    def queries(self, latent: Values) -> Values:
        """(batch, latent_dim) -> (batch, contrast_dim), unit length."""
        return unit(self.query(latent))

    def keys(self, latent: Values) -> Values:
        """(batch, latent_dim) -> (batch, contrast_dim), unit length; scores are `queries @ keys.T` in [-1, 1]."""
        return unit(self.key(latent))


class Ensemble(Network):
    """Further predictors of one step, all in one product of matrices; they differ by their weights and by their data.

    Each is learned on runs of its own choice (bootstrap), so they agree where all runs say the same, and only there.
    Each also says how far off it expects the model to be: some moments are hard however often they were seen. Both
    together are a deep ensemble (Lakshminarayanan et al. 2017). The scale is put right by `calibration`, from runs that
    none of them saw: log(error) = calibration[0] + calibration[1] * log(uncertainty).
    """

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        width = spec.ensemble_width
        sizes = (spec.latent_dim + spec.command_dim * (spec.chunk + 1), width, width, spec.latent_dim + 1)
        self.weights = nn.ParameterList([(spec.ensemble, a, b) for a, b in pairwise(sizes)], spread=True)
        self.biases = nn.ParameterList([(spec.ensemble, 1, b) for b in sizes[1:]])
        self.add("calibration", [0.0, 1.0], learned=False)

    def forward(self, latent: Values, chunk: Values, previous: Values) -> tuple[Values, Values]:
        """What each member expects.

        Args:
            latent: (batch, latent_dim), or (members, batch, latent_dim) to give each its own.
            chunk: ([members,] batch, chunk, command_dim), commands in units of the spec's maxima [-].
            previous: ([members,] batch, command_dim), the command before, likewise.

        Returns:
            The change of the latent (members, batch, latent_dim), and the logarithm of the mean squared error of the
            model's own prediction (members, batch).
        """
        x = joined(latent, previous, _flat(chunk))
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = (gelu(x) if layer else x) @ weight + bias
        return x[..., :-1], x[..., -1]

    def uncertainty(self, latent: Values, chunk: Values, previous: Values) -> Values:
        """Disagreement of the members and the error that they expect, before calibration: (batch,) [latent units]."""
        change, squared = self(latent, chunk, previous)
        xp = kind_of(change)
        away = change - change.mean(0)  # by hand: torch's own variance takes three times as long as all the rest
        variance = xp.square(away).mean(-1).sum(0) / (len(change) - 1)
        return xp.sqrt((variance + xp.exp(squared).mean(0)).clip(1e-12))

    def expected_error(self, latent: Values, chunk: Values, previous: Values) -> Values:
        """The error of the model's prediction to expect (batch,): root mean square [latent units]."""
        offset, slope = self.calibration
        found = self.uncertainty(latent, chunk, previous)
        return kind_of(found).exp(offset + slope * kind_of(found).log(found))


class LearnedHeads(Network):
    """Heads that are learned on finished latents (`learning.head_phase`), those that a spec names; others are None.

    They come last, so they change neither latents nor predictions, and a model can get them, or others, at any time.
    """

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        self.ensemble = nn.network(Ensemble, spec) if spec.ensemble else None


def _flat(chunk: Values) -> Values:
    """Commands (..., chunk, command_dim) as (..., chunk * command_dim)."""
    return chunk.reshape(*chunk.shape[:-2], -1)
