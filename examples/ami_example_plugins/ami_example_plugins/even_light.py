"""An encoder of pictures to which brightness and contrast are the same, as from a camera that sets its own exposure."""

from ami_ros.world_model.torch_model import ConvolutionEncoder


class EvenLight(ConvolutionEncoder):
    """The convolutions that ship, on pictures of mean 0 and deviation 0.25: each picture, all three colours together.

    Any module does that is made of a `ModelSpec` and makes (batch, encoder_width) of (batch, 3, size, size) uint8.
    """

    def pixels(self, image):
        """(batch, 3, size, size) uint8 -> float."""
        x = super().pixels(image)
        mean, deviation = x.mean(dim=(1, 2, 3), keepdim=True), x.std(dim=(1, 2, 3), keepdim=True)
        return 0.25 * (x - mean) / deviation.clamp(min=0.01)
