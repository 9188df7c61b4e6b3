"""Cost of reconstruction guidance: a guided denoising step against a plain forward pass.

    python tests/benchmarks/guided_step.py [EXPERIMENT] [--batch 8] [--repeats 10]
        [--topology v5e:1x1]

Time: the programs alternate, medians. Memory: the compiler's estimate of temporaries, with
everything saved and with levels or layers rematerialized and attention over space sliced.
--repeats 0 and --topology (estimates for a TPU that is not present) allocate and run nothing, so
that models of any size can be estimated.

On CPUs XLA schedules for concurrency, whatever the memory, and removes the barriers of
rematerialization: the quickstart, batch 8, takes 7.7 times the plain step's memory, 8.0 with levels
and 7.7 with layers rematerialized. With a scheduler that minds memory (XLA_FLAGS=
--xla_cpu_enable_concurrency_optimized_scheduler=false): 8.2, 5.6 and 4.8.
`FiniteDifferenceGuidance`, which has no backward pass: 1.23. (jax 0.10.2, 2026-11-30)

One v5e chip, bfloat16, the upper two levels of text_small with one block each, batch 1: 125 MiB of
temporaries plain, 1,124 guided with everything saved. Most are attention weights over 32x32 pixels:
one such layer, 256 channels and 16 frames, with its VJP takes 264 MiB at once and 24 MiB sliced, in
5.9 and 4.9 ms (the compiler's cycles). Three residual blocks of 128 channels at 64x64, batch 4:
193 MiB plain, 515 MiB with their VJP and everything saved.
"""

import argparse
import dataclasses
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
from unets import with_implementation, with_levels

from vdm_jax import diffusion, nn, parallel, training
from vdm_jax.models import Conditioning

CORRECTIONS = {
    "plain": None,
    "guided": diffusion.ReconstructionGuidance(10.0),
    "pseudo-inverse": diffusion.PseudoInverseGuidance(2),
    "finite differences": diffusion.FiniteDifferenceGuidance(10.0),
}
REMATS = {
    "all saved": (None, nn.DotProduct()),
    "remat levels": (nn.RematLevel(), nn.Sliced()),
    "remat layers": (nn.RematLayer(), nn.Sliced()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="experiments/quickstart.py")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--topology", type=parallel.Topology.parse, help="e.g. v5e:1x1")
    args = parser.parse_args()
    task, arguments = shapes(training.load(args.experiment), args.batch)
    if args.topology:
        mesh = args.topology.build(parallel.Mesh())
        sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        arguments = jax.tree.map(lambda s: s.update(sharding=sharding), arguments)

    estimates = {}
    for way, how in REMATS.items():
        for name, correction in CORRECTIONS.items():
            without_backward = name in ("plain", "finite differences")
            if without_backward and way != "all saved":
                continue
            step = partial(guided_step, rematerialized(task, *how), correction)
            label = f"{name}, {way}"
            estimates[label] = program = jax.jit(step).lower(*arguments).compile()
            bytes_ = program.memory_analysis().temp_size_in_bytes
            first = estimates["plain, all saved"].memory_analysis().temp_size_in_bytes
            # A step that fits in a TPU's on-chip memory has no temporaries.
            times = f"{bytes_ / first:5.2f} x plain" if first else ""
            print(f"{label:<29}{bytes_ / 2**20:9.1f} MiB  {times}", flush=True)
    if args.repeats and not args.topology:
        print_times(estimates, arguments, args.repeats)


def print_times(programs, arguments, repeats: int) -> None:
    """Prints the median time of each program."""
    values = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), arguments)
    seconds = {name: [] for name in programs}
    for _ in range(repeats + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program(*values))
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    for name, time_ in median.items():
        times = time_ / median["plain, all saved"]
        print(f"{name:<29}{1e3 * time_:9.1f} ms   {times:5.2f} x plain")


def shapes(experiment: training.Experiment, batch: int):
    """The task, and the shapes of a denoising step's arguments."""
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


def rematerialized(
    task: training.Denoising, how: nn.Remat | None, implementation: nn.AttentionImplementation
) -> training.Denoising:
    """The task with another remat and attention implementation at every level of its U-Net."""
    return with_levels(
        task,
        lambda level: dataclasses.replace(with_implementation(level, implementation), remat=how),
    )


def guided_step(task, correction, params, cond, z, logsnr):
    """x_hat; with a correction, given the first half of the frames."""
    denoiser = task.denoiser(params, {}, cond)
    if correction is not None:
        mask = jnp.arange(z.shape[1])[None] < z.shape[1] // 2
        known = diffusion.KnownPixels(jnp.zeros_like(z), mask)
        denoiser = diffusion.reconstruction(denoiser, [known], correction, task.process)
    return denoiser(z, logsnr)


if __name__ == "__main__":
    main()
