"""Samplers and denoisers as StableHLO programs that run without vdm_jax, by `jax.export`.

A program takes its parameters by name, so weights of any size stay in their own file. It takes any
batch size and runs on every platform of `PLATFORMS`. Randomness is that of
`TrainedModel.generate`: sample i of a seed is the same clip.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from vdm_jax.data import sides, to_uint8
from vdm_jax.models import Conditioning
from vdm_jax.sampling.trained_model import TrainedModel
from vdm_jax.types import LogSNR, Params, Video

PLATFORMS = ("cpu", "cuda", "tpu")
Named = Mapping[str, Any]


def named_parameters(model: TrainedModel) -> dict[str, Any]:
    """The parameters by path, `params/input/kernel`, as exports name them."""
    trees = {"params": model.params, "frozen": model.frozen}
    leaves = jax.tree_util.tree_leaves_with_path(trees)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): leaf for p, leaf in leaves}


def conditions(
    model: TrainedModel, captions: Sequence[str], labels: Sequence[int]
) -> dict[str, Any]:
    """The conditions of a program's clips as arrays, by field of `Conditioning`."""
    cond = model.encode(captions, labels)
    return {name: array for name, array in vars(cond).items() if array is not None}


def sampler(model: TrainedModel) -> Callable[..., UInt8[Array, "b f h w c"]]:
    """`(parameters, seed, numbers, conditions) -> clips`, as `TrainedModel.generate` makes them.

    seed: uint32. numbers: int32 [b], the samples of this seed to make: 0, 1, 2, ...
    """
    tree = jax.tree.structure({"params": model.params, "frozen": model.frozen})
    task, generator = model.task, model.generator

    def sample(parameters: Named, seed: Array, numbers: Array, conditions: Named) -> Array:
        params, frozen = _trees(tree, parameters, model)
        keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(numbers)
        shape = _shape(model, numbers.shape[0])
        cond = Conditioning.of(conditions)
        return to_uint8(generator(task, params, frozen, keys, cond, shape))

    return sample


def denoiser(model: TrainedModel) -> Callable[..., Video]:
    """`(parameters, z, logsnr, conditions) -> x_hat`, without guidance; logsnr is [b]."""
    tree = jax.tree.structure({"params": model.params, "frozen": model.frozen})

    def denoise(parameters: Named, z: Video, logsnr: LogSNR, conditions: Named) -> Video:
        params, frozen = _trees(tree, parameters, model)
        cond = Conditioning.of(conditions)
        return model.task.denoiser(params, frozen, cond)(z, logsnr)

    return denoise


def export(
    model: TrainedModel, program: str, platforms: Sequence[str] = PLATFORMS
) -> jax.export.Exported:
    """The program "sampler" or "denoiser", for any batch size.

    The parameters of `model` may be shapes.

    Raises:
      ValueError: a super-resolution model, which needs low-resolution clips.
    """
    if model.task.lowres is not None:
        raise ValueError(
            "a program generates clips from noise; a super-resolution model needs clips"
        )
    (b,) = jax.export.symbolic_shape("b")

    def batch_of(x: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((b, *x.shape[1:]), x.dtype)

    parameters = {
        name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in named_parameters(model).items()
    }
    cond = {name: batch_of(x) for name, x in conditions(model, [""], [-1]).items()}
    z = jax.ShapeDtypeStruct(_shape(model, b), jnp.float32)
    numbers, seed = (jax.ShapeDtypeStruct(s, t) for s, t in (((b,), jnp.int32), ((), jnp.uint32)))
    function, inputs = {
        "sampler": (sampler(model), (seed, numbers)),
        "denoiser": (denoiser(model), (z, jax.ShapeDtypeStruct((b,), jnp.float32))),
    }[program]
    exporter = jax.export.export(jax.jit(function, keep_unused=True), platforms=tuple(platforms))
    return exporter(parameters, *inputs, cond)


def _shape(model: TrainedModel, batch: Any) -> tuple[Any, ...]:
    return batch, model.data.frames, *sides(model.data.size), 3


def _trees(tree: Any, parameters: Named, model: TrainedModel) -> tuple[Params, Params]:
    """(params, frozen) as trees, from parameters by name."""
    both = jax.tree.unflatten(tree, [parameters[name] for name in named_parameters(model)])
    return both["params"], both["frozen"]
