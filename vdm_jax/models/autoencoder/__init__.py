"""Autoencoders: clips to latents that a diffusion model can be trained on, and back."""

from vdm_jax.models.autoencoder.kl import AutoencoderKL

__all__ = ["AutoencoderKL"]
