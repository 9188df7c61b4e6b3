"""Every protocol through its true networks at full size, with random weights and few clips.

    python tests/benchmarks/protocols.py --real UCF-101 --samples 4 [NAME ...]

Prints seconds and numbers (which say nothing), and what failed. Samples are noise of the size that
the protocol states, or of 64 pixels.
"""

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

from vdm_jax.data import sides
from vdm_jax.evaluation import Sample, SortedFirst
from vdm_jax.evaluation.protocols import PROTOCOLS, collect, measure


def few(protocol, count: int):
    """The protocol with so many samples and real clips, without weights."""
    take = SortedFirst(count) if isinstance(protocol.real.take, SortedFirst) else Sample(count)
    rules = protocol.generated
    source = None if rules.source is None else dataclasses.replace(rules.source, take=take)
    return dataclasses.replace(
        protocol,
        real=dataclasses.replace(protocol.real, take=take, rates=()),
        generated=dataclasses.replace(rules, count=count, each=1, source=source),
        repeats=1,
    ).untrained()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PROTOCOLS))
    parser.add_argument("--real", required=True)
    parser.add_argument("--samples", type=int, default=4)
    args = parser.parse_args()
    real = collect(args.real)
    for name in args.names or PROTOCOLS:
        protocol = few(PROTOCOLS[name], args.samples)
        rules, began = protocol.generated, time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            shape = (rules.span, *sides(rules.size or 64), 3)
            for i in range(args.samples):
                noise = np.random.default_rng(i).integers(0, 256, shape, np.uint8)
                np.save(Path(folder) / f"{i}.npy", noise)
                (Path(folder) / f"{i}.txt").write_text(f"noise {i}")
            try:
                made = rules.clips(collect(folder), args.samples)
                result = measure(protocol, "noise", made, real, Path(folder) / "statistics")
                told = "  ".join(f"{k} {v['value']:.4g}" for k, v in result.values.items())
            except (ValueError, OSError) as error:
                told = f"FAILED: {error}"
        print(f"{name:<44} {time.monotonic() - began:7.1f} s  {told}", flush=True)


if __name__ == "__main__":
    main()
