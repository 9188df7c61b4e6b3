"""Networks, all called as `(z, logsnr, cond, train=) -> output`."""

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.models.patched import Patched
from vdm_jax.models.text import WordEncoder
from vdm_jax.models.unet import Level, UNet

__all__ = ["Conditioning", "Level", "Patched", "UNet", "WordEncoder"]
