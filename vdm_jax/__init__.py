"""Video diffusion in JAX: mathematics, networks, training, sampling and evaluation."""

__version__ = "0.2.0"
