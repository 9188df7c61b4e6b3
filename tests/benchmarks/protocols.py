"""Time and memory of protocols at full size, with random weights in their true networks.

    python tests/benchmarks/protocols.py --real UCF-101 --clips 4
    python tests/benchmarks/protocols.py --real UCF-101 --clips 2048 --metric fvd \\
        --keep features ucf101_tats_128

Compares --clips samples with as many real clips, drawn from all windows of the videos without
replacement while they last. Prints compile time, seconds and CPU seconds a clip, peak memory, the
scores (meaningless) and the extrapolated time of 2,048 clips against 2,048. Samples, without
--generated, are files of noise (sixteen different ones) in the protocol's size, or 64 pixels.
--keep caches features, so that an interrupted run resumes.
"""

import argparse
import dataclasses
import resource
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from vdm_jax.data import EveryWindow, sides
from vdm_jax.progress import clock
from vdm_jax.protocols import (
    PROTOCOLS,
    All,
    Frechet,
    Pairs,
    WithoutReplacement,
    WithReplacement,
    collect,
    measure,
)

DIFFERENT = 16  # files of noise
EXTRAPOLATED = 2048  # clips


def small_protocol(protocol, real, count: int, metrics: list[str]):
    """The protocol with `count` samples and real clips, random weights and no Frechet bootstrap.

    The bootstrap takes nearly as long for few clips as for many.
    """
    every = {"windows": EveryWindow(step=1), "rates": ()}
    available = len(dataclasses.replace(protocol.real, take=All(), **every).clips(real))
    draw = {
        "take": WithoutReplacement(count) if count <= available else WithReplacement(count),
        **every,
    }
    rules = protocol.generated
    source = rules.source and dataclasses.replace(rules.source, **draw)
    return dataclasses.replace(
        protocol,
        real=dataclasses.replace(protocol.real, **draw),
        generated=dataclasses.replace(rules, count=count, each=1, source=source),
        measures=tuple(
            dataclasses.replace(m, bootstrap=None) if isinstance(m, Frechet) else m
            for m in protocol.measures
            if m.name in metrics or not metrics
        ),
        repeats=1,
    ).untrained()


def write(folder: Path, rules, count: int) -> None:
    """Writes samples: DIFFERENT files of noise, and links to them."""
    folder.mkdir(parents=True)
    shape = (rules.span, *sides(rules.size or 64), 3)
    for i in range(count):
        file, first = folder / f"{i:05}.npy", folder / f"{i % DIFFERENT:05}.npy"
        if file == first:
            np.save(file, np.random.default_rng(i).integers(0, 256, shape, np.uint8))
        else:
            file.symlink_to(first.name)
        file.with_suffix(".txt").write_text(f"noise {i}")


def compile_all(protocol, samples, real) -> None:
    """Runs every network on one clip; batches of more clips have the same shape."""
    for one in protocol.measures:
        clips = samples
        if one.against == "pairs":
            clips = Pairs(samples, (protocol.generated.source or protocol.real).clips(real), 1)
        one.features(clips[0]["video"][None])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="protocols (default: all)")
    parser.add_argument("--real", required=True, help="a folder of videos")
    parser.add_argument(
        "--clips",
        type=int,
        default=4,
        help="number of samples and of real clips (default: %(default)s)",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        help="only this metric of each protocol; may be repeated",
    )
    parser.add_argument("--generated", help="a folder of samples (default: noise)")
    parser.add_argument("--keep", type=Path, help="a folder that keeps samples and features")
    args = parser.parse_args()
    real = collect(args.real)
    for name in args.names or PROTOCOLS:
        keep = nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory()
        with keep as folder:
            samples = Path(args.generated or Path(folder) / name / str(args.clips))
            try:
                protocol = small_protocol(PROTOCOLS[name], real, args.clips, args.metric)
                if not samples.exists():
                    write(samples, protocol.generated, args.clips)
                generated = protocol.generated.clips(collect(samples), args.clips)
                began = time.monotonic()
                compile_all(protocol, generated, real)
                compiled, before = time.monotonic(), time.process_time()
                result = measure(protocol, "noise", generated, real, Path(folder) / "statistics")
                spent, used = time.monotonic() - compiled, time.process_time() - before
            except (ValueError, OSError) as error:
                print(f"{name:<44} FAILED: {error}", flush=True)
                continue
        clips = args.clips * (2 if protocol.has_reference else 1)
        extrapolated = clock(spent / args.clips * EXTRAPOLATED)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        values = "  ".join(f"{k} {v['value']:.4g}" for k, v in result.values.items())
        print(
            f"{name:<44} compiled in {compiled - began:.0f} s, {spent / clips:.2f} s a clip, "
            f"{used / clips:.2f} s of CPU, {EXTRAPOLATED:,} each {extrapolated} (extrapolated), "
            f"peak {peak:.2f} GiB  {values}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
