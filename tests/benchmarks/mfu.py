"""Measured training step of an experiment on this machine's devices: seconds, MFU, memory.

    python tests/benchmarks/mfu.py experiments/vdm/ucf101.py --set loader.batch=8 [--steps 10]
        [--set "task.model.levels.1.mixers.0.implementation=nn.CuDNN()" ...]
        [--set "task.model.levels.1.remat=nn.RematLayer()" ...]

The step is that of `vdm-jax train`. Its batch, of zeros and ones, is already on the devices. MFU is
the FLOPs of the model, counted as by `vdm-jax plan` (without rematerialization; a fused attention
kernel counts as its matrix products), over the peak FLOPs of the devices in the same time.
"""

import argparse
import dataclasses
import json
import statistics
import time

import jax
import numpy as np
from unets import with_implementation, with_levels

from vdm_jax import nn, parallel, training
from vdm_jax.commands.helpers import options
from vdm_jax.config import override


def known_peak() -> float:
    """Peak FLOP/s of one device, for bfloat16 products."""
    kind = jax.devices()[0].device_kind
    for chip in parallel.CHIPS.values():
        if chip.kind == kind:
            return chip.flops
    raise SystemExit(f"the peak of {kind!r} is not in parallel.CHIPS: give it with --peak")


def with_dot_products(experiment: training.Experiment) -> training.Experiment:
    """The experiment with attention as matrix products, whose FLOPs can be counted."""
    task = experiment.task
    assert isinstance(task, training.Denoising)
    task = with_levels(task, lambda level: with_implementation(level, nn.DotProduct()))
    return dataclasses.replace(experiment, task=task)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment")
    options.add_overrides(parser, "loader.batch=16")
    parser.add_argument("--steps", type=int, default=10, help="timed steps (default: %(default)s)")
    parser.add_argument(
        "--peak", type=float, help="peak FLOP/s of a device that is not in the table"
    )
    parser.add_argument("--trace", metavar="DIR", help="write an XProf trace of two more steps")
    args = parser.parse_args()
    peak = args.peak or known_peak()
    experiment = override(training.load(args.experiment), *args.assignments)
    mesh = experiment.mesh.build()
    step, shapes = training.abstract_step(experiment, mesh)
    began = time.monotonic()
    compiled = parallel.compile_lowered(step.lower(*shapes))
    compiling = time.monotonic() - began

    def init(key):
        batch = experiment.loader.zeros(experiment.data)
        return training.init(experiment.task, experiment.optimizer, key, batch)

    shardings = jax.tree.map(lambda s: s.sharding, shapes[:2])
    state, frozen = jax.jit(init, out_shardings=shardings)(jax.random.key(0))
    random = np.random.default_rng(0)
    batch = {
        name: jax.device_put(random.integers(0, 2, s.shape).astype(s.dtype), s.sharding)
        for name, s in shapes[2].items()
    }

    def time_step(state):
        began = time.monotonic()
        state, _ = jax.block_until_ready(compiled(state, frozen, batch))
        return time.monotonic() - began, state

    seconds_of_steps = []
    for _ in range(2 + args.steps):  # the first two are not counted
        spent, state = time_step(state)
        seconds_of_steps.append(spent)
    if args.trace:
        with jax.profiler.trace(args.trace):
            for _ in range(2):
                _, state = time_step(state)
    flops = parallel.count_flops(
        training.abstract_step(with_dot_products(experiment), mesh)[0].trace(*shapes).jaxpr
    )
    seconds = statistics.median(seconds_of_steps[2:])
    peak_flops = seconds * mesh.size * peak
    peak_bytes = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    facts = {
        "experiment": args.experiment, "set": args.assignments, "jax": jax.__version__,
        "devices": f"{mesh.size} x {jax.devices()[0].device_kind}", "peak FLOP/s": peak,
        "batch": list(shapes[2]["video"].shape), "seconds": round(seconds, 4),
        "mfu": round(flops.without_remat / peak_flops, 4),
        "mfu with remat": round(flops.total / peak_flops, 4),
        "peak GiB": round(peak_bytes / 2**30, 2), "compile seconds": round(compiling, 1),
    }  # fmt: skip
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
