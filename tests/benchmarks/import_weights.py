"""Speed and memory of importing a foreign checkpoint.

    python tests/benchmarks/import_weights.py --gigabytes 1 [--folder DIR]

Writes random weights of a T5 of about this size as shards with Hugging Face's names. Reads them
once as bytes (the disk's speed) and once through the renaming table onto the devices.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from vdm_jax import models, parallel
from vdm_jax.checkpoints import layouts
from vdm_jax.checkpoints.safetensors import Safetensors, write


class RandomTensors:
    """Random tensors, generated on access."""

    def __init__(self, foreign):
        self.foreign = foreign
        self.shape, self.dtype = foreign.shape, foreign.dtype

    def __iter__(self):
        return iter(self.foreign)

    def __len__(self):
        return len(self.foreign)

    def __getitem__(self, name):
        return np.random.default_rng(0).standard_normal(self.shape(name), np.float32)


def memory(name: str) -> float:
    """Memory of this process in GiB: VmRSS is the present one, VmHWM the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--folder")
    options = parser.parse_args()

    layers = max(1, round((options.gigabytes * 1e9 / 4 - 66e6) / 51.4e6))
    network = models.T5(2048, layers, heads=32, feed_forward=models.GatedFeedForward(5120))
    like = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 8), jnp.int32))["params"]
    mesh = parallel.Mesh().build()
    like = parallel.with_shardings(like, parallel.shardings(like, mesh))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        foreign = layouts.T5_V1_1.to_foreign(like)
        tensors = RandomTensors(foreign)
        write(Path(folder), tensors, shard_bytes=2**28, metadata={}, file_metadata={})
        files = sorted(Path(folder).glob("*.safetensors"))
        size = sum(file.stat().st_size for file in files)
        os.sync()
        for file in files:  # out of the page cache
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        for file in files:
            with file.open("rb") as opened:
                while opened.read(2**24):
                    pass
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        disk = time.perf_counter() - start

        before = memory("VmRSS")
        start = time.perf_counter()
        params = layouts.T5_V1_1.to_params(Safetensors(folder), like)
        seconds = time.perf_counter() - start
        held = sum(x.nbytes for x in jax.tree.leaves(params)) / 2**30
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        largest = max(np.prod(foreign.shape(n)) for n in foreign) * 4 / 2**30
    print(f"{size / 1e9:.2f} GB in {len(files)} files: disk {size / disk / 1e6:.0f} MB/s, "
          f"import {size / seconds / 1e6:.0f} MB/s")  # fmt: skip
    print(f"GiB: {before:.2f} before, {held:.2f} of parameters, peak {peak:.2f}: "
          f"{peak - before - held:.2f} beyond; the largest tensor is {largest:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
