"""What an update of a distillation costs beside a training update of the same model.

    python tests/benchmarks/distillation_step.py [EXPERIMENT] [--repeats 10]

All programs in turns, in one run; medians. The difference is told in forward passes of the network,
which the benchmark measures too: two for a teacher as it is, four where the teacher is guided.
Counted in the program, a guided teacher's operations are 4.00 passes on top of the 2.98 of a
training update of the quickstart: nothing of it is computed twice or differentiated. With
--repeats 0 only operations are told.
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
from vdm_jax.training.loop import zeros


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="experiments/distillation/quickstart.py")
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    experiment = training.load(args.experiment)
    task = experiment.task
    assert isinstance(task, training.Distillation)
    say_operations(experiment)
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
    programs["forward pass"] = forward(task.denoising, batch)

    seconds = {name: [] for name in programs}
    for _ in range(args.repeats + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program())
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found[1:]) for name, found in seconds.items()}
    for name, found in median.items():
        more = (found - median["training"]) / median["forward pass"]
        said = "" if name in ("training", "forward pass") else f"   training + {more:.2f} forward"
        print(f"{name:<16}{1e3 * found:9.1f} ms   {found / median['training']:5.2f} x{said}")


def say_operations(experiment: training.Experiment) -> None:
    """Print what each program computes, in forward passes."""
    task = experiment.task
    batch = experiment.loader.shapes(experiment.data)
    x, cond = jax.eval_shape(task.denoising.read, batch)
    params, _ = jax.eval_shape(task.denoising.init, jax.random.key(0), batch)
    logsnr = jax.ShapeDtypeStruct(x.shape[:1], jnp.float32)

    def denoise(params, cond, z, logsnr):
        return task.denoising.denoiser(params, {}, cond)(z, logsnr)

    one = parallel.count_flops(jax.jit(denoise).trace(params, cond, x, logsnr).jaxpr).all

    def passes(task) -> float:
        init = partial(states.init, task, experiment.optimizer)
        state = jax.eval_shape(init, jax.random.key(0), batch)
        step = training.make_step(task, experiment.optimizer, experiment.steps)
        return parallel.count_flops(jax.jit(step).trace(*state, batch).jaxpr).all / one

    first = passes(task.denoising)
    print(f"operations: training = {first:.2f} forward")
    for name, weight in (("distillation", 1.0), ("guided teacher", 2.0)):
        more = passes(dataclasses.replace(task, guidance=weight)) - first
        print(f"operations: {name} = training + {more:.2f} forward")


def update(experiment: training.Experiment, task, batch):
    """One update of a task, compiled; a distillation for any number of steps."""
    init = partial(states.init, task, experiment.optimizer)
    state, frozen = jax.jit(init)(jax.random.key(0), batch)
    step = training.make_step(task, experiment.optimizer, experiment.steps)
    compiled = parallel.compile_lowered(jax.jit(step).lower(state, frozen, batch))

    def run(**changes):
        return compiled(state, frozen | changes, batch)

    return run


def forward(task: training.Denoising, batch):
    """One denoising of the batch, compiled."""
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch.items()}
    params, _ = jax.jit(task.init)(jax.random.key(0), zeros(shapes))
    x, cond = task.read(batch)
    arguments = params, cond, x, jnp.zeros(len(x))

    def denoise(params, cond, z, logsnr):
        return task.denoiser(params, {}, cond)(z, logsnr)

    return partial(parallel.compile_lowered(jax.jit(denoise).lower(*arguments)), *arguments)


if __name__ == "__main__":
    main()
