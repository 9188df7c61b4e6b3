"""What reconstruction guidance costs: a guided denoising step against the plain forward pass.

    python tests/benchmarks/guided_step.py [EXPERIMENT] [--batch 8] [--repeats 10]
        [--topology v5e:1x1]

Time is measured, the programs in turns, and the median taken. Memory is the compiler's own estimate
of temporaries, for the model as it is and with levels or layers recomputed in the backward pass,
attention over space frame by frame. With --repeats 0 nothing is allocated or run, which serves
models of any size; so does --topology, by which the estimates are those for a TPU that is not here.

XLA for the CPU orders a program for the most concurrency, whatever that keeps in memory, and undoes
the barriers by which recomputing waits: the quickstart, batch 8, comes to 8.0 x the plain step, 7.9
with levels and 7.6 with layers recomputed; and with it told to mind memory (XLA_FLAGS=
--xla_cpu_enable_concurrency_optimized_scheduler=false) to 10.1, 5.6 and 5.9.
`FiniteDifferenceGuidance`, which has no backward pass, comes to 1.21.

For v5e, one chip, bfloat16: of text_small's upper two levels with one block each, batch 1, a plain
step has 125 MiB of temporaries and a guided one, all kept, 1,124. Most are the shares of attention
over 32x32 pixels: one such layer of 256 channels and 16 frames, with its pull-back, needs 264 MiB
at once and 24 frame by frame, in 5.9 and 4.9 ms (compiler's cycles). Three residual blocks of 128
channels at 64x64, batch 4, need 193 MiB plain and 515 with their pull-back, all kept.
"""

import argparse
import dataclasses
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
from unets import reading, with_levels

from vdm_jax import diffusion, nn, parallel, training
from vdm_jax.models import Conditioning

CHOSEN = {
    "plain": None,
    "guided": diffusion.ReconstructionGuidance(10.0),
    "pseudo-inverse": diffusion.PseudoInverseGuidance(2),
    "secant": diffusion.FiniteDifferenceGuidance(10.0),
}
WAYS = {
    "all kept": (nn.Never(), nn.DotProduct()),
    "levels again": (nn.RematLevel(), nn.Sliced()),
    "layers again": (nn.RematLayer(), nn.Sliced()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="experiments/quickstart.py")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--topology", type=parallel.Topology.parse, help="such as v5e:1x1")
    args = parser.parse_args()
    task, arguments = shapes(training.load(args.experiment), args.batch)
    if args.topology:
        mesh = args.topology.build(parallel.Mesh())
        there = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        arguments = jax.tree.map(lambda s: s.update(sharding=there), arguments)

    estimates = {}
    for way, how in WAYS.items():
        for name, correction in CHOSEN.items():
            if name in ("plain", "secant") and way != "all kept":  # no backward pass: all the same
                continue
            step = partial(guided_step, recomputed(task, *how), correction)
            label = f"{name}, {way}"
            estimates[label] = program = jax.jit(step).lower(*arguments).compile()
            bytes_ = program.memory_analysis().temp_size_in_bytes
            first = estimates["plain, all kept"].memory_analysis().temp_size_in_bytes
            times = f"{bytes_ / first:5.2f} x plain" if first else ""  # it fits on the chip itself
            print(f"{label:<29}{bytes_ / 2**20:9.1f} MiB  {times}", flush=True)
    if args.repeats and not args.topology:
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
        times = found / median["plain, all kept"]
        print(f"{name:<29}{1e3 * found:9.1f} ms   {times:5.2f} x plain")


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


def recomputed(
    task: training.Denoising, how: nn.Remat, implementation: nn.AttentionImplementation
) -> training.Denoising:
    """The task with so much of its U-Net recomputed in the backward pass."""
    return with_levels(
        task, lambda level: dataclasses.replace(reading(level, implementation), remat=how)
    )


def guided_step(task, correction, params, cond, z, logsnr):
    """x_hat, the first half of the frames being known where there is a correction."""
    denoiser = task.denoiser(params, {}, cond)
    if correction is not None:
        mask = jnp.arange(z.shape[1])[None] < z.shape[1] // 2
        known = diffusion.KnownPixels(jnp.zeros_like(z), mask)
        denoiser = diffusion.reconstruction(denoiser, [known], correction, task.process)
    return denoiser(z, logsnr)


if __name__ == "__main__":
    main()
