"""Features of clips from pretrained networks, with named preprocessing and named weights."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Num

from vdm_jax import parallel
from vdm_jax.checkpoints import PUBLISHED, CheckpointError, Published, read_weights
from vdm_jax.config import ConfigError, nearest
from vdm_jax.metrics.normalization import Rescale, SubtractMeanClip
from vdm_jax.metrics.resizing import PixelStep
from vdm_jax.storage import local_path
from vdm_jax.types import Key, Params


@dataclass(frozen=True)
class RandomWeights:
    """Untrained weights, for trying a metric without files; its numbers mean nothing."""

    seed: int = 0

    def like(self, shapes: Params) -> Params:
        """Arrays of these shapes, each a function of the seed and of its name; without compiling.

        Kernels are normal with variance 2 / fan-in, which preserves the scale through ReLUs (He et
        al. 2015, eq. 10). Biases and means are zero; other vectors (scales, variances) are one.
        """

        def draw(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            if len(leaf.shape) < 2:
                fill = 0 if name.endswith(("bias", "mean")) else 1
                return np.full(leaf.shape, fill, np.float32)
            rng = np.random.default_rng((self.seed, zlib.crc32(name.encode())))
            deviation = np.float32(np.sqrt(2 / np.prod(leaf.shape[:-1])))
            return deviation * rng.standard_normal(leaf.shape, np.float32)

        return jax.tree_util.tree_map_with_path(draw, shapes)


@dataclass(frozen=True)
class NetworkFeatures:
    """Features of uint8 clips, float32 [b d]: one vector per clip, or per frame.

    Matrix products are float32 on every device, because a TPU's default precision changes I3D's
    logits. Batches are sharded over all devices of this process.

    title: the name in results.
    network: a linen module without conditions.
    weights: a name in `checkpoints.PUBLISHED`, a path to such a file, or `RandomWeights`.
    pixels: steps from 0..255 to the network's input; `()` gives it float32 clips in 0..255.
    output: the array to use, for networks with several.
    min_frames: fewest frames of a clip.
    max_frames: most frames of a clip; None is no limit.
    batch: clips at a time per device; affects speed and memory only.
    """

    title: str
    network: Any
    weights: str | RandomWeights
    pixels: tuple[PixelStep, ...] = ()
    output: str | None = None
    min_frames: int = 1
    max_frames: int | None = None
    batch: int = 4

    @property
    def name(self) -> str:
        return self.title + ("_random_weights" if self.random_weights else "")

    @property
    def random_weights(self) -> bool:
        """Whether the weights are random, so that results mean nothing."""
        return isinstance(self.weights, RandomWeights)

    def untrained(self, seed: int = 0) -> "NetworkFeatures":
        """The same with random weights, subtracting gray instead of a mean clip from a file."""
        gray = Rescale(1.0, -128.0)
        pixels = tuple(gray if isinstance(s, SubtractMeanClip) else s for s in self.pixels)
        return replace(self, weights=RandomWeights(seed), pixels=pixels)

    def __call__(self, video: Num[np.ndarray, "b f h w c"]) -> Float[np.ndarray, "n d"]:
        """The features of these clips.

        Raises:
          ValueError: clips that are not uint8, too short, too long, or of several lengths.
          CheckpointError: the weights are missing, or of another network.
        """
        return self.on_devices(jax.local_devices())(self.checked(video))

    def checked(self, video: Any) -> np.ndarray:
        """The clips, after checking that the network accepts them."""
        if not isinstance(video, np.ndarray) or video.ndim != 5:
            shape = getattr(video, "shape", f"a {type(video).__name__}")
            raise ValueError(
                f"{self.title} needs one array of clips [b f h w c], all of one length and size, "
                f"not {shape}"
            )
        if self.pixels and video.dtype != np.uint8:
            raise ValueError(
                f"{self.title} needs uint8 clips, not {video.dtype}: quantize them with "
                "data.to_uint8, as every published number does"
            )
        frames = video.shape[1]
        if frames < self.min_frames or frames > (self.max_frames or frames):
            short = frames < self.min_frames
            bound = f"least {self.min_frames}" if short else f"most {self.max_frames}"
            raise ValueError(
                f"{self.title} needs clips of at {bound} frames, not {frames}: change the number "
                "of frames of samples and of real clips alike"
            )
        return video

    def on_devices(self, devices: Sequence[Any]) -> Callable[[np.ndarray], np.ndarray]:
        """The features sharded over these devices, compiled once per shape of clips."""
        return batched(self, tuple(devices))

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "n d"]:
        """The features of one batch; the function that is compiled."""
        with jax.default_matmul_precision("highest"):
            output = self.network.apply({"params": params}, network_input(video, self.pixels))
        if self.output is not None and hasattr(output, self.output):
            output = getattr(output, self.output)
        elif self.output is not None or isinstance(output, tuple):
            hint = nearest(str(self.output), getattr(output, "_fields", ()))
            raise ConfigError(f"{self.title} has no output {self.output!r}; {hint}")
        return output.astype(jnp.float32)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """The network's parameters for clips of this shape [f h w c]."""
        batch = jax.ShapeDtypeStruct((1, *clip), jnp.float32)
        x = jax.eval_shape(partial(network_input, steps=self.pixels), batch)
        x = jnp.zeros(x.shape, jnp.float32)
        return load_parameters(
            self.network, self.weights, lambda key: self.network.init(key, x)["params"]
        )


def network_input(video: Num[Array, "b f h w c"], steps: tuple[PixelStep, ...]) -> Array:
    """The network's input: clips in float32 after the steps."""
    x = video.astype(jnp.float32)
    for step in steps:
        x = step(x)
    return jnp.asarray(x)


def load_parameters(
    network: Any, weights: str | RandomWeights, init: Callable[[Key], Params]
) -> Params:
    """Parameters from a file, or random ones, of the shapes that `init` gives.

    Raises:
      CheckpointError: the file is missing, or of another network.
    """
    shapes = jax.eval_shape(init, jax.random.key(0))
    if isinstance(weights, RandomWeights):
        return weights.like(shapes)
    published, path = find_weights(weights, network)
    return published.parameters(shapes, path)


def find_weights(weights: str, network: Any) -> tuple[Published, Path | None]:
    """The published weights of this name (path None), or those that a file at a path holds.

    A file is matched to the published weights of this kind of network that share the most tensor
    names with it.

    Raises:
      CheckpointError: `weights` is neither a name nor a file, or no published weights are of this
        kind of network.
    """
    if weights in PUBLISHED:
        return PUBLISHED[weights], None
    path = local_path(weights)
    if not path.exists():
        raise CheckpointError(
            f"{weights!r} is neither a name of published weights nor a file; "
            f"{nearest(weights, PUBLISHED)}"
        )
    candidates = [p for p in PUBLISHED.values() if type(p.network) is type(network)]
    if not candidates:
        raise CheckpointError(
            f"cannot read {path} as a {type(network).__name__}: no published weights of this kind "
            "of network are known"
        )
    names = list(read_weights(path))
    return max(candidates, key=lambda published: published.layout.match_score(names)), path


@runtime_checkable
class BatchedFeatures(Protocol):
    """A frozen dataclass that computes features, `batch` clips at a time per device."""

    @property
    def title(self) -> str:
        """The name of the features in messages."""
        ...

    @property
    def batch(self) -> int: ...

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "n d"]: ...

    def parameters(self, clip: tuple[int, ...]) -> Params: ...


@lru_cache(maxsize=4)
def batched(
    features: BatchedFeatures, devices: tuple[Any, ...]
) -> Callable[[Num[np.ndarray, "b f h w c"]], Float[np.ndarray, "n d"]]:
    """`video -> features` on these devices; caches the parameters and the compiled programs."""
    mesh = parallel.Mesh().build(devices)
    replicated, sharded = NamedSharding(mesh, PartitionSpec()), parallel.batch_sharding(mesh)
    forward = parallel.Jit(
        features.forward, in_shardings=(replicated, sharded), out_shardings=sharded
    )
    batch = features.batch * len(devices)
    cache: list[Params] = []

    def run(video: np.ndarray) -> np.ndarray:
        if not len(video):
            raise ValueError(f"{features.title} needs at least one clip")
        if not cache:
            cache.append(jax.device_put(features.parameters(video.shape[1:]), replicated))
        fetched: list[np.ndarray] = []
        running: list[Array] = []
        for start in range(0, len(video), batch):
            clips = video[start : start + batch]
            padding = np.repeat(clips[-1:], batch - len(clips), axis=0)
            padded = np.concatenate([clips, padding])
            running.append(forward(cache[0], jax.device_put(padded, sharded)))
            if len(running) > 1:  # fetch a batch while the devices compute the next one
                fetched.append(np.asarray(running.pop(0)))
        fetched.append(np.asarray(running.pop()))
        each = len(fetched[0]) // batch
        return np.concatenate(fetched)[: each * len(video)]

    return run
