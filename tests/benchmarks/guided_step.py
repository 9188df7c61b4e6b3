"""What reconstruction guidance costs: a guided denoising step against the plain forward pass.

    python tests/benchmarks/guided_step.py [EXPERIMENT] [--batch 8] [--repeats 10]

Time is measured, the programs in turns, and the median taken. Memory is the compiler's own estimate
of temporaries, for the model as it is and with levels or layers recomputed in the backward pass.
With --repeats 0 nothing is allocated or run, which serves models of any size.
"""

import argparse
import dataclasses
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp

from vdm_jax import diffusion, models, nn, training
from vdm_jax.models import Conditioning

CHOSEN = {
    "plain": None,
    "guided": diffusion.Gradient(10.0),
    "pseudo-inverse": diffusion.PseudoInverse(2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="experiments/quickstart.py")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    task, arguments = shapes(training.load(args.experiment), args.batch)

    estimates = {}
    for how in (nn.Never(), nn.ByLevel(), nn.ByLayer()):
        for name, correction in CHOSEN.items():
            step = partial(guided_step, recomputed(task, how), correction)
            label = f"{name}, {type(how).__name__}"
            estimates[label] = program = jax.jit(step).lower(*arguments).compile()
            bytes_ = program.memory_analysis().temp_size_in_bytes
            first = estimates["plain, Never"].memory_analysis().temp_size_in_bytes
            print(
                f"{label:<24}{bytes_ / 2**20:9.1f} MiB  {bytes_ / first:5.2f} x plain", flush=True
            )
    if args.repeats:
        measured(estimates, arguments, args.repeats)


def measured(programs, arguments, repeats: int) -> None:
    """Print the median time of each program."""
    values = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), arguments)
    seconds = {name: [] for name in programs}
    for _ in range(repeats + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program(*values))
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found[1:]) for name, found in seconds.items()}
    for name, found in median.items():
        print(f"{name:<24}{1e3 * found:9.1f} ms   {found / median['plain, Never']:5.2f} x plain")


def shapes(experiment: training.Experiment, batch: int):
    """The task, and the arguments of a step of it as shapes."""
    task, source = experiment.task, experiment.data
    assert isinstance(task, training.Denoising)
    like = {
        name: jax.ShapeDtypeStruct((batch, *s.shape[1:]), s.dtype)
        for name, s in experiment.loader.shapes(source).items()
    }
    params, _ = jax.eval_shape(task.init, jax.random.key(0), like)
    cond = Conditioning.of({k: s for k, s in like.items() if k not in ("video", "segments")})
    cond = dataclasses.replace(cond, **{
        field: jax.ShapeDtypeStruct((s.shape[0], *s.shape[2:]), s.dtype)
        for field in ("tokens", "text", "text_mask")
        if experiment.loader.images and (s := getattr(cond, field)) is not None
    })  # fmt: skip
    z = jax.ShapeDtypeStruct((batch, source.frames, source.size, source.size, 3), jnp.float32)
    return task, (params, cond, z, jax.ShapeDtypeStruct((), jnp.float32))


def recomputed(task: training.Denoising, how: nn.Recompute) -> training.Denoising:
    """The task with so much of its U-Net recomputed in the backward pass."""

    def changed(model):
        if isinstance(model, models.Patched):
            return model.clone(network=changed(model.network))
        levels = tuple(dataclasses.replace(level, remat=how) for level in model.levels)
        return model.clone(levels=levels)

    return dataclasses.replace(task, model=changed(task.model))


def guided_step(task, correction, params, cond, z, logsnr):
    """x_hat, the first half of the frames being known where there is a correction."""
    denoiser = task.denoiser(params, {}, cond)
    if correction is not None:
        mask = jnp.arange(z.shape[1])[None] < z.shape[1] // 2
        known = diffusion.Known(jnp.zeros_like(z), mask)
        denoiser = diffusion.reconstruction(denoiser, [known], correction, task.process)
    return denoiser(z, logsnr)


if __name__ == "__main__":
    main()
