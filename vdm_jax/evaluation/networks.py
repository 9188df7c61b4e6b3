"""Clips as a pretrained network sees them: pixels by a named path, features by named weights."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Num

from vdm_jax import parallel
from vdm_jax.checkpoints import PUBLISHED, CheckpointError, Published, read_weights
from vdm_jax.config import ConfigError, nearest
from vdm_jax.evaluation.normalization import Rescale, SubtractMeanClip
from vdm_jax.evaluation.resizing import Step
from vdm_jax.storage import local_path
from vdm_jax.types import Key, Params


@dataclass(frozen=True)
class Random:
    """Weights that nobody trained: everything runs, and the numbers mean nothing."""

    seed: int = 0

    def like(self, shapes: Params) -> Params:
        """Arrays of these shapes, of the seed and each one's name alone; nothing is compiled.

        Kernels are normal with variance 2 / (numbers that make one output), which keeps the size
        of what goes through a ReLU (He et al. 2015, eq. 10); biases and means are zero, and other
        vectors, such as scales and variances, one.
        """

        def drawn(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            if len(leaf.shape) < 2:
                fill = 0 if name.endswith(("bias", "mean")) else 1
                return np.full(leaf.shape, fill, np.float32)
            rng = np.random.default_rng((self.seed, zlib.crc32(name.encode())))
            deviation = np.float32(np.sqrt(2 / np.prod(leaf.shape[:-1])))
            return deviation * rng.standard_normal(leaf.shape, np.float32)

        return jax.tree_util.tree_map_with_path(drawn, shapes)


@dataclass(frozen=True)
class NetworkFeatures:
    """The features of clips of 8 bits, [b d] in float32: one row a clip, or a frame of one.

    title: what they are called in results. network: a linen module without conditions.
    weights: a name of `checkpoints.PUBLISHED`, a path to such a file, or `Random`. pixels: the
    steps from 0..255 to what the network takes; without any, it is given the clips as they are, in
    float32. output: which array, where it makes several. least, most: frames of a clip that it can
    be given. batch: clips at a time on each device; it changes nothing but speed and memory.

    Products are float32 on every device (a TPU's default changes I3D's logits), and batches are
    spread over all devices of this process.
    """

    title: str
    network: Any
    weights: str | Random
    pixels: tuple[Step, ...] = ()
    output: str | None = None
    least: int = 1
    most: int | None = None
    batch: int = 4

    @property
    def name(self) -> str:
        return self.title + ("_random_weights" if self.random_weights else "")

    @property
    def random_weights(self) -> bool:
        """Whether results say nothing about the clips."""
        return isinstance(self.weights, Random)

    def untrained(self, seed: int = 0) -> "NetworkFeatures":
        """The same without any file: random weights, and grey where a mean clip is subtracted."""
        gray = Rescale(1.0, -128.0)
        pixels = tuple(gray if isinstance(s, SubtractMeanClip) else s for s in self.pixels)
        return replace(self, weights=Random(seed), pixels=pixels)

    def __call__(self, video: Num[np.ndarray, "b f h w c"]) -> Float[np.ndarray, "n d"]:
        """The features of some clips.

        Raises:
          ValueError: clips that are not of 8 bits, too short or too long; a mixture of lengths.
          CheckpointError: the weights are not at hand, or not those of this network.
        """
        return self.on(jax.local_devices())(self.checked(video))

    def checked(self, video: Any) -> np.ndarray:
        """The clips, if this network can be given them."""
        if not isinstance(video, np.ndarray) or video.ndim != 5:
            shape = getattr(video, "shape", f"a {type(video).__name__}")
            raise ValueError(
                f"{self.title} looks at one array of clips [b f h w c], all of one length and "
                f"size, not at {shape}"
            )
        if self.pixels and video.dtype != np.uint8:
            raise ValueError(
                f"{self.title} looks at clips of 8 bits, not of {video.dtype}: quantise them "
                "(data.to_uint8), as every published number does"
            )
        frames = video.shape[1]
        if frames < self.least or frames > (self.most or frames):
            bound = "least" if frames < self.least else "most"
            raise ValueError(
                f"{self.title} takes clips of at {bound} {getattr(self, bound)} frames, not of "
                f"{frames}: choose other frames for both sides, for lengths never mix"
            )
        return video

    def on(self, devices: Sequence[Any]) -> Callable[[np.ndarray], np.ndarray]:
        """The same spread over given devices, compiled once for every shape of clips."""
        return program(self, tuple(devices))

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "n d"]:
        """One batch of clips through pixels and network, to be compiled."""
        with jax.default_matmul_precision("highest"):
            found = self.network.apply({"params": params}, network_input(video, self.pixels))
        if self.output is not None and hasattr(found, self.output):
            found = getattr(found, self.output)
        elif self.output is not None or isinstance(found, tuple):
            known = nearest(str(self.output), getattr(found, "_fields", ()))
            raise ConfigError(f"{self.title} has no output {self.output!r}; {known}")
        return found.astype(jnp.float32)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """The network's parameters for clips of this shape [f h w c]."""
        batch = jax.ShapeDtypeStruct((1, *clip), jnp.float32)
        seen = jax.eval_shape(partial(network_input, steps=self.pixels), batch)
        x = jnp.zeros(seen.shape, jnp.float32)
        return load_parameters(
            self.network, self.weights, lambda key: self.network.init(key, x)["params"]
        )


def network_input(video: Num[Array, "b f h w c"], steps: tuple[Step, ...]) -> Array:
    """Clips in float32 after the steps: what a network looks at."""
    x = video.astype(jnp.float32)
    for step in steps:
        x = step(x)
    return jnp.asarray(x)


def load_parameters(network: Any, weights: str | Random, init: Callable[[Key], Params]) -> Params:
    """The parameters of a file, or at random, of the shapes of those that `init` would make.

    Raises:
      CheckpointError: the file is not at hand, or not of this network.
    """
    shapes = jax.eval_shape(init, jax.random.key(0))
    if isinstance(weights, Random):
        return weights.like(shapes)
    published, path = find(weights, network)
    return published.parameters(shapes, path)


def find(weights: str, network: Any) -> tuple[Published, Path | None]:
    """The published file of a name, or of a path: the one whose tensors have the most such names.

    Raises:
      CheckpointError: neither a name nor a path, or no file of this kind of network.
    """
    if weights in PUBLISHED:
        return PUBLISHED[weights], None
    path = local_path(weights)
    if not path.exists():
        raise CheckpointError(
            f"{weights!r} is neither published weights nor a file; {nearest(weights, PUBLISHED)}"
        )
    candidates = [p for p in PUBLISHED.values() if type(p.network) is type(network)]
    if not candidates:
        raise CheckpointError(
            f"no published weights of a {type(network).__name__} are known that {path} could be"
        )
    names = list(read_weights(path))
    return max(candidates, key=lambda published: published.layout.matches(names)), path


class Batched(Protocol):
    """A frozen dataclass that makes rows of clips, `batch` clips at a time on each device."""

    @property
    def title(self) -> str:
        """What its rows are called."""
        ...

    @property
    def batch(self) -> int: ...

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "n d"]: ...

    def parameters(self, clip: tuple[int, ...]) -> Params: ...


@lru_cache(maxsize=4)
def program(
    features: Batched, devices: tuple[Any, ...]
) -> Callable[[Num[np.ndarray, "b f h w c"]], Float[np.ndarray, "n d"]]:
    """Clips to features on these devices; keeps the parameters and the compiled programs."""
    mesh = parallel.Mesh().build(devices)
    whole, rows = NamedSharding(mesh, PartitionSpec()), parallel.batch_sharding(mesh)
    forward = parallel.Jit(features.forward, in_shardings=(whole, rows), out_shardings=rows)
    batch = features.batch * len(devices)
    held: list[Params] = []

    def run(video: np.ndarray) -> np.ndarray:
        if not len(video):
            raise ValueError(f"{features.title} was given no clips")
        if not held:
            held.append(jax.device_put(features.parameters(video.shape[1:]), whole))
        found: list[np.ndarray] = []
        waiting: list[Array] = []
        for start in range(0, len(video), batch):
            part = video[start : start + batch]
            missing = batch - len(part)
            padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            waiting.append(forward(held[0], jax.device_put(padded, rows)))
            if len(waiting) > 1:  # the devices work on the next batch while this one is fetched
                found.append(np.asarray(waiting.pop(0)))
        found.append(np.asarray(waiting.pop()))
        each = len(found[0]) // batch
        return np.concatenate(found)[: each * len(video)]

    return run
