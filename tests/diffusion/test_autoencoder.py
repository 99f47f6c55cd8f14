import pytest
import torch

from daag.diffusion.autoencoder import PixelUnshuffleAutoencoder
from daag.errors import ConfigError


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_decoding_what_was_encoded_gives_the_same_pixels(factor):
    autoencoder = PixelUnshuffleAutoencoder(downscale_factor=factor)
    image = torch.randn(2, 3, 8, 12)
    latents = autoencoder.encode(image).latents
    assert latents.shape == (2, 3 * factor**2, 8 // factor, 12 // factor)
    assert torch.equal(autoencoder.decode(latents).sample, image)
    assert torch.equal(autoencoder(image), image)
    assert torch.equal(
        autoencoder.decode(autoencoder.encode(image, return_dict=False)[0], return_dict=False)[0], image
    )


def test_channels_that_do_not_follow_from_the_factor_are_refused():
    with pytest.raises(ConfigError, match="12 latent channels, got 4"):
        PixelUnshuffleAutoencoder(downscale_factor=2, latent_channels=4)


def test_a_saved_autoencoder_is_read_back_with_its_factor(tmp_path):
    PixelUnshuffleAutoencoder(downscale_factor=4).save_pretrained(tmp_path)
    again = PixelUnshuffleAutoencoder.from_config(PixelUnshuffleAutoencoder.load_config(tmp_path))
    assert again.config.downscale_factor == 4 and again.config.latent_channels == 48
