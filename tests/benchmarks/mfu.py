"""A training step of an experiment on the devices of this machine, measured: seconds, MFU, memory.

    python tests/benchmarks/mfu.py experiments/vdm/ucf101.py --set loader.batch=8 [--steps 10]
        [--set "task.model.levels.1.mixers.0.implementation=nn.CuDNN()" ...]
        [--set "task.model.levels.1.remat=nn.RematLayer()" ...]

The step is that of `vdm-jax train`; its batch, of zeros and ones, is on the devices already. MFU is
the operations that the mathematics needs, as `vdm-jax plan` counts them, by what the devices could
do in that time; attention by a kernel counts as the products that it stands for.
"""

import argparse
import dataclasses
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from unets import reading, with_levels

from vdm_jax import nn, parallel, training
from vdm_jax.commands import options, planning
from vdm_jax.config import override


def known_peak() -> float:
    """FLOP/s of one of these devices, of bfloat16 products."""
    kind = jax.devices()[0].device_kind
    for chip in parallel.CHIPS.values():
        if chip.kind == kind:
            return chip.flops
    raise SystemExit(f"what {kind!r} can do is not known: say it by --peak")


def written_out(experiment: training.Experiment) -> training.Experiment:
    """The experiment with attention as products, which can be counted."""
    task = experiment.task
    assert isinstance(task, training.Denoising)
    task = with_levels(task, lambda level: reading(level, nn.DotProduct()))
    return dataclasses.replace(experiment, task=task)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment")
    options.overrides(parser, "loader.batch=16")
    parser.add_argument("--steps", type=int, default=10, help="how many are timed")
    parser.add_argument("--peak", type=float, help="FLOP/s of a device, where it is not known")
    parser.add_argument("--trace", metavar="DIR", help="an XProf trace of two more steps")
    args = parser.parse_args()
    peak = args.peak or known_peak()
    experiment = override(training.load(args.experiment), *args.assignments)
    mesh = experiment.mesh.build()
    step, shapes = planning.training_step(experiment, mesh)
    began = time.monotonic()
    compiled = parallel.compile_lowered(step.lower(*shapes))
    compiling = time.monotonic() - began

    def init(key):
        row = {name: jnp.zeros((1, *s.shape[1:]), s.dtype) for name, s in shapes[2].items()}
        return training.init(experiment.task, experiment.optimizer, key, row)

    places = jax.tree.map(lambda s: s.sharding, shapes[:2])
    state, frozen = jax.jit(init, out_shardings=places)(jax.random.key(0))
    random = np.random.default_rng(0)
    batch = {
        name: jax.device_put(random.integers(0, 2, s.shape).astype(s.dtype), s.sharding)
        for name, s in shapes[2].items()
    }

    def timed(state):
        began = time.monotonic()
        state, _ = jax.block_until_ready(compiled(state, frozen, batch))
        return time.monotonic() - began, state

    taken = []
    for _ in range(2 + args.steps):  # the first two are not counted
        spent, state = timed(state)
        taken.append(spent)
    if args.trace:
        with jax.profiler.trace(args.trace):
            for _ in range(2):
                _, state = timed(state)
    counted = parallel.count_flops(
        planning.training_step(written_out(experiment), mesh)[0].trace(*shapes).jaxpr
    )
    seconds = statistics.median(taken[2:])
    could = seconds * mesh.size * peak
    used = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    facts = {
        "experiment": args.experiment, "set": args.assignments, "jax": jax.__version__,
        "devices": f"{mesh.size} x {jax.devices()[0].device_kind}", "peak FLOP/s": peak,
        "rows": list(shapes[2]["video"].shape), "seconds": round(seconds, 4),
        "mfu": round(counted.needed / could, 4),
        "with what is computed again": round(counted.total / could, 4),
        "peak GiB": round(used / 2**30, 2), "compiling, seconds": round(compiling, 1),
    }  # fmt: skip
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
