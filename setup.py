"""Packaging of vdm_jax. Tool settings are in pyproject.toml, the version in vdm_jax/__init__.py."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "vdm_jax" / "__init__.py").read_text())
assert VERSION is not None


class BuildWithExperiments(build_py):
    """Copies `experiments/` into the wheel, as `vdm_jax/experiments`, where commands find it."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                HERE / "experiments",
                Path(self.build_lib) / "vdm_jax" / "experiments",
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )


class SourceWithExperiments(sdist):
    """Adds `experiments/` to the source archive, from which wheels are built."""

    def add_defaults(self):
        super().add_defaults()
        files = (HERE / "experiments").rglob("*")
        self.filelist.extend(
            str(file.relative_to(HERE))
            for file in files
            if file.is_file() and "__pycache__" not in file.parts
        )


setup(
    name="vdm_jax",
    version=VERSION.group(1),
    description="Video diffusion in JAX: the VDM / Imagen Video cascade and its successors",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["vdm_jax", "vdm_jax.*"]),
    package_data={"vdm_jax": ["py.typed", "protocols/*.toml", "protocols/*.tsv"]},
    cmdclass={"build_py": BuildWithExperiments, "sdist": SourceWithExperiments},
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
            *("pre-commit", "ruff", "pyright"),
            *("tensorflow-datasets>=4.9.10", "importlib_resources", "sentencepiece", "tokenizers"),
            *("torch==2.13.0", "transformers>=5", "diffusers>=0.42"),
        ],
        "benchmark": ["torch==2.13.0", "video-diffusion-pytorch==0.7.0", "psutil", "decord"],
    },
    entry_points={"console_scripts": ["vdm-jax = vdm_jax.commands:main"]},
)
