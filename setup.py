"""Packaging of vdm_jax. Tool settings live in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "vdm_jax" / "__init__.py").read_text())

setup(
    name="vdm_jax",
    version=VERSION.group(1),
    description="Video diffusion in JAX: the VDM / Imagen Video cascade and its successors",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["vdm_jax", "vdm_jax.*"]),
    package_data={"vdm_jax": ["evaluation/*.toml", "evaluation/protocols/*.tsv"]},
    python_requires=">=3.11",
    install_requires=[
        "jax>=0.8",
        "flax>=0.11",
        "optax>=0.2.5",
        "orbax-checkpoint>=0.11.20",
        "safetensors>=0.8",
        "ml_dtypes",
        "flatbuffers",  # what jax.export writes programs with
        "grain>=0.2.12",
        "array_record>=0.8",
        "protobuf>=4.25",
        "etils[epath]",
        "einops",
        "jaxtyping",
        "numpy",
        "av>=13",
        "pillow",
        "rich",
        "tensorboardX",
    ],
    extras_require={
        "tpu": ["jax[tpu]"],
        "cuda": ["jax[cuda12]"],
        "data": ["tensorflow-datasets>=4.9.10", "importlib_resources", "tqdm"],
        "beam": ["apache-beam>=2.60"],
        "text": ["sentencepiece"],
        "savedmodel": ["tensorflow>=2.18"],
        "plots": ["matplotlib>=3.8"],
        "test": [
            *("pytest", "pytest-xdist", "beartype", "chex", "scipy", "matplotlib>=3.8"),
            *("ruff", "pyright"),
            *("tensorflow-datasets>=4.9.10", "importlib_resources", "sentencepiece", "tokenizers"),
            *("torch==2.13.0", "transformers>=5", "diffusers>=0.42"),
        ],
        "benchmark": ["torch==2.13.0", "video-diffusion-pytorch==0.7.0", "psutil", "decord"],
    },
    entry_points={"console_scripts": ["vdm-jax = vdm_jax.commands:main"]},
)
