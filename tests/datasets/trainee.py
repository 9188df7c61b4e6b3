"""One process of a training run: `python trainee.py INDEX PROCESSES PORT WORKDIR DATASETS`.

Prints the number of every clip that this process trains on, a line of them for each batch.
"""

import os
import sys
from typing import Any

import numpy as np

DEVICES = 8


class Numbered:
    """Clips whose label is their number."""

    def __init__(self, clips: Any):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def draw(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        return self.clips.draw(index, rng) | {"label": np.int32(index)}


def main(index: int, processes: int, port: int, workdir: str, datasets: str) -> None:
    count = DEVICES // processes
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", processes, index)
    assert (jax.process_count(), len(jax.devices())) == (processes, DEVICES)
    import tiny

    from vdm_jax import data, parallel, training

    source = data.Clips("ucf101", path=datasets, frames=2, size=8, split="all", held_out=None)
    experiment = tiny.experiment(
        data=source, steps=3, log_every=1, mesh=parallel.Mesh(data=4, fsdp=2)
    )
    training.train(experiment, workdir)
    batches = experiment.loader(
        Numbered(source.clips("train")), seed=experiment.seed, host=index, hosts=processes
    )
    for _ in range(2):  # 16 of the 18 clips: less than an epoch
        print("clips", *next(batches)["label"])
    batches.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *sys.argv[4:])
