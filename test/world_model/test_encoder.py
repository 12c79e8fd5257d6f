"""The encoder: any subset of sensors, and what each of them does to the latent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import WorldModel

SMALL = ModelSpec(latent_dim=16, encoder_width=32)


def sensors(spec: ModelSpec, batch: int = 3) -> Sensors:
    generator = torch.Generator().manual_seed(1)
    inputs = spec.inputs
    size = inputs.image_size
    return Sensors(
        torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=generator) if size else None,
        8 * torch.rand(batch, inputs.scan_beams, generator=generator) if inputs.scan_beams else None,
    )


def encoder(spec: ModelSpec) -> Any:
    torch.manual_seed(0)
    return WorldModel(spec).encoder.eval()


@pytest.mark.parametrize("image_size", [0, 16, 48])
@pytest.mark.parametrize("scan_beams", [0, 7, 36])
def test_every_subset_of_inputs_gives_a_latent(image_size: int, scan_beams: int) -> None:
    if not (image_size or scan_beams):
        with pytest.raises(ValueError, match="at least one input"):
            InputSpec(image_size=0, scan_beams=0)
        return
    spec = replace(SMALL, inputs=InputSpec(image_size=image_size, scan_beams=scan_beams))
    latent, features = encoder(spec)(sensors(spec))
    assert latent.shape == (3, 16) and latent.isfinite().all()
    if image_size:
        assert features is not None and features.shape == (3, 32)
    else:
        assert features is None


def test_an_image_whose_size_the_convolutions_cannot_halve_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16, not 50"):
        InputSpec(image_size=50)


@pytest.mark.parametrize("name", ["image", "scan"])
def test_each_sensor_changes_the_latent(name: str) -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=16, scan_beams=36))
    model, given = encoder(spec), sensors(spec)
    other = given._replace(**{name: getattr(given, name).flip(0)})
    assert not torch.allclose(model(given)[0], model(other)[0], atol=1e-3)


def test_what_returned_nothing_counts_as_far_away() -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=0, scan_beams=36, scan_range=5.0))
    model = encoder(spec)
    ranges = torch.full((1, 36), 2.0)
    nothing, far = ranges.clone(), ranges.clone()
    nothing[0, 4:9], far[0, 4:9] = torch.inf, 5.0
    torch.testing.assert_close(model(Sensors(scan=nothing))[0], model(Sensors(scan=far))[0])


def test_latents_of_a_batch_have_unit_scale_whatever_the_weights() -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=0, scan_beams=36))
    model = encoder(spec).train()
    for parameter in model.parameters():
        parameter.data *= 3.0
    latent = model(Sensors(scan=8 * torch.rand(200, 36)))[0]
    torch.testing.assert_close(latent.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(latent.std(0, unbiased=False), torch.ones(16), atol=1e-2, rtol=0)


def test_in_use_one_moment_alone_reads_as_in_any_company() -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=16, scan_beams=36))
    model, given = encoder(spec), sensors(spec)
    assert given.image is not None and given.scan is not None
    alone = model(Sensors(given.image[1:2], given.scan[1:2]))[0]
    torch.testing.assert_close(alone[0], model(given)[0][1], atol=1e-5, rtol=1e-5)
