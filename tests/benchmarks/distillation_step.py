"""Cost of a distillation update beside a training update of the same model.

    python tests/benchmarks/distillation_step.py [EXPERIMENT] [--repeats 10]

The programs alternate in one run; times are medians. Differences are given in forward passes of the
network, which the benchmark times too. Expected: two for a teacher without guidance, four for a
guided one. --repeats 0 only counts FLOPs. Counted for the quickstart: a training update is 2.97
forward passes and a guided teacher adds 4.00, so nothing of it is recomputed or differentiated.
"""

import argparse
import dataclasses
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp

from vdm_jax import parallel, training
from vdm_jax.training import state as states


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="experiments/distillation/quickstart.py")
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    experiment = training.load(args.experiment)
    task = experiment.task
    assert isinstance(task, training.Distillation)
    print_flops(experiment)
    if not args.repeats:
        return
    batch = next(experiment.loader(experiment.data.clips("train"), seed=0))
    batch = jax.tree.map(jnp.asarray, batch)

    programs = {"training": update(experiment, task.denoising, batch)}
    distilling = update(experiment, task, batch)
    for name, steps in (
        ("distillation", task.end_steps),
        ("guided teacher", task.start_steps // 2),
    ):
        programs[name] = partial(distilling, steps=jnp.asarray(steps, jnp.int32))
    programs["forward pass"] = forward(experiment, batch)

    seconds = {name: [] for name in programs}
    for _ in range(args.repeats + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program())
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    for name, time_ in median.items():
        more = (time_ - median["training"]) / median["forward pass"]
        extra = "" if name in ("training", "forward pass") else f"   training + {more:.2f} forward"
        print(f"{name:<16}{1e3 * time_:9.1f} ms   {time_ / median['training']:5.2f} x{extra}")


def print_flops(experiment: training.Experiment) -> None:
    """Prints the FLOPs of each program, in forward passes."""
    task = experiment.task
    batch = experiment.loader.shapes(experiment.data)
    x, cond = jax.eval_shape(task.denoising.read, batch)
    params, _ = jax.eval_shape(task.denoising.init, jax.random.key(0), batch)
    logsnr = jax.ShapeDtypeStruct(x.shape[:1], jnp.float32)

    def denoise(params, cond, z, logsnr):
        return task.denoising.denoiser(params, {}, cond)(z, logsnr)

    one = parallel.count_flops(jax.jit(denoise).trace(params, cond, x, logsnr).jaxpr).total

    def passes(task) -> float:
        init = partial(states.init, task, experiment.optimizer)
        state = jax.eval_shape(init, jax.random.key(0), batch)
        step = training.make_step(task, experiment.optimizer, experiment.steps)
        return parallel.count_flops(jax.jit(step).trace(*state, batch).jaxpr).total / one

    first = passes(task.denoising)
    print(f"FLOPs: training = {first:.2f} forward")
    for name, weight in (("distillation", 1.0), ("guided teacher", 2.0)):
        more = passes(dataclasses.replace(task, guidance=weight)) - first
        print(f"FLOPs: {name} = training + {more:.2f} forward")


def update(experiment: training.Experiment, task, batch):
    """One compiled update of a task; a distillation takes its number of steps as an argument."""
    init = partial(states.init, task, experiment.optimizer)
    state, frozen = jax.jit(init)(jax.random.key(0), batch)
    step = training.make_step(task, experiment.optimizer, experiment.steps)
    compiled = parallel.compile_lowered(jax.jit(step).lower(state, frozen, batch))

    def run(**changes):
        return compiled(state, frozen | changes, batch)

    return run


def forward(experiment: training.Experiment, batch):
    """One compiled forward pass: x_hat of the batch."""
    task = experiment.task.denoising
    params, _ = jax.jit(task.init)(jax.random.key(0), experiment.loader.zeros(experiment.data))
    x, cond = task.read(batch)
    arguments = params, cond, x, jnp.zeros(len(x))

    def denoise(params, cond, z, logsnr):
        return task.denoiser(params, {}, cond)(z, logsnr)

    return partial(parallel.compile_lowered(jax.jit(denoise).lower(*arguments)), *arguments)


if __name__ == "__main__":
    main()
