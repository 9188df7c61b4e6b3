"""Samplers and denoisers as programs that need no vdm_jax: StableHLO by `jax.export`.

A program takes the parameters by name, so that one file of weights serves it however large, and is
for any number of rows and for every platform named. Its randomness is that of
`TrainedModel.generate`: row i of a seed is the same clip.
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
from vdm_jax.sampling.generate import TrainedModel
from vdm_jax.types import LogSNR, Params, Video

PLATFORMS = ("cpu", "cuda", "tpu")
Named = Mapping[str, Any]


def named(trained: TrainedModel) -> dict[str, Any]:
    """The parameters by path, `params/input/kernel`, as exports name them."""
    trees = {"params": trained.params, "frozen": trained.frozen}
    leaves = jax.tree_util.tree_leaves_with_path(trees)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): leaf for p, leaf in leaves}


def conditions(
    trained: TrainedModel, captions: Sequence[str], labels: Sequence[int]
) -> dict[str, Any]:
    """The arrays that say what the clips of a program are to show, by field of `Conditioning`."""
    cond = trained.encode(captions, labels)
    return {name: array for name, array in vars(cond).items() if array is not None}


def sampler(trained: TrainedModel) -> Callable[..., UInt8[Array, "b f h w c"]]:
    """`(parameters, seed, rows, conditions) -> clips`, as `TrainedModel.generate` makes them.

    seed: uint32. rows: int32 [b], which samples of the seed: 0, 1, 2, ...
    """
    tree = jax.tree.structure({"params": trained.params, "frozen": trained.frozen})
    task, generator = trained.experiment.task, trained.generator

    def sample(parameters: Named, seed: Array, rows: Array, conditions: Named) -> Array:
        params, frozen = _trees(tree, parameters, trained)
        keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(rows)
        shape = _shape(trained, rows.shape[0])
        cond = Conditioning.of(conditions)
        return to_uint8(generator(task, params, frozen, keys, cond, shape))

    return sample


def denoiser(trained: TrainedModel) -> Callable[..., Video]:
    """`(parameters, z, logsnr, conditions) -> x_hat`, without guidance; logsnr is [b]."""
    tree = jax.tree.structure({"params": trained.params, "frozen": trained.frozen})

    def denoise(parameters: Named, z: Video, logsnr: LogSNR, conditions: Named) -> Video:
        params, frozen = _trees(tree, parameters, trained)
        cond = Conditioning.of(conditions)
        return trained.experiment.task.denoiser(params, frozen, cond)(z, logsnr)

    return denoise


def export(
    trained: TrainedModel, kind: str, platforms: Sequence[str] = PLATFORMS
) -> jax.export.Exported:
    """The program `kind`, "sampler" or "denoiser", for any number of rows.

    The parameters of `trained` may be shapes alone.

    Raises:
      ValueError: a model of super-resolution, which starts from videos.
    """
    if trained.experiment.task.lowres is not None:
        raise ValueError("a program makes clips from noise, and this model enlarges clips")
    (b,) = jax.export.symbolic_shape("b")

    def row(x: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((b, *x.shape[1:]), x.dtype)

    parameters = {
        name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in named(trained).items()
    }
    cond = {name: row(x) for name, x in conditions(trained, [""], [-1]).items()}
    z = jax.ShapeDtypeStruct(_shape(trained, b), jnp.float32)
    rows, seed = (jax.ShapeDtypeStruct(s, t) for s, t in (((b,), jnp.int32), ((), jnp.uint32)))
    function, inputs = {
        "sampler": (sampler(trained), (seed, rows)),
        "denoiser": (denoiser(trained), (z, jax.ShapeDtypeStruct((b,), jnp.float32))),
    }[kind]
    program = jax.export.export(jax.jit(function, keep_unused=True), platforms=tuple(platforms))
    return program(parameters, *inputs, cond)


def _shape(trained: TrainedModel, rows: Any) -> tuple[Any, ...]:
    return rows, trained.data.frames, *sides(trained.data.size), 3


def _trees(tree: Any, parameters: Named, trained: TrainedModel) -> tuple[Params, Params]:
    """The trees that named parameters are."""
    both = jax.tree.unflatten(tree, [parameters[name] for name in named(trained)])
    return both["params"], both["frozen"]
