"""Protocols through their true networks at full size, with random weights: time and memory.

    python tests/benchmarks/protocols.py --real UCF-101 --clips 4
    python tests/benchmarks/protocols.py --real UCF-101 --clips 2048 --metric fvd \
        --keep features ucf101_tats_128

So many samples are measured against as many real clips, drawn from all windows of the videos there
are, none twice while there are enough. Prints the seconds until the networks are compiled, then
those of a clip, those of all cores together, the peak memory, the numbers (which say nothing), and
what 2,048 clips against 2,048 would take, extrapolated. Samples, unless they are --generated, are
files of noise, sixteen different ones, of the size that the protocol states or of 64 pixels. With
--keep, features stay, and what was interrupted goes on.
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
from vdm_jax.evaluation import All, Frechet, WithoutReplacement, WithReplacement
from vdm_jax.evaluation.protocols import PROTOCOLS, Pairs, collect, measure
from vdm_jax.progress import clock

DIFFERENT = 16
WANTED = 2048


def few(protocol, real, count: int, metrics: list[str]):
    """The protocol with so many samples and real clips, without weights.

    The bootstrap of a Frechet distance, nearly as long for few clips as for many, is left out.
    """
    every = {"windows": EveryWindow(step=1), "rates": ()}
    there = len(dataclasses.replace(protocol.real, take=All(), **every).clips(real))
    drawn = {
        "take": WithoutReplacement(count) if count <= there else WithReplacement(count),
        **every,
    }
    rules = protocol.generated
    source = rules.source and dataclasses.replace(rules.source, **drawn)
    return dataclasses.replace(
        protocol,
        real=dataclasses.replace(protocol.real, **drawn),
        generated=dataclasses.replace(rules, count=count, each=1, source=source),
        measures=tuple(
            dataclasses.replace(m, bootstrap=None) if isinstance(m, Frechet) else m
            for m in protocol.measures
            if m.name in metrics or not metrics
        ),
        repeats=1,
    ).untrained()


def write(folder: Path, rules, count: int) -> None:
    """Samples: files of noise, and links to them."""
    folder.mkdir(parents=True)
    shape = (rules.span, *sides(rules.size or 64), 3)
    for i in range(count):
        file, first = folder / f"{i:05}.npy", folder / f"{i % DIFFERENT:05}.npy"
        if file == first:
            np.save(file, np.random.default_rng(i).integers(0, 256, shape, np.uint8))
        else:
            file.symlink_to(first.name)
        file.with_suffix(".txt").write_text(f"noise {i}")


def compile_all(protocol, made, real) -> None:
    """Every network once, for one clip; a batch is as large for more of them."""
    for one in protocol.measures:
        clips = made
        if one.against == "pairs":
            clips = Pairs(made, (protocol.generated.source or protocol.real).clips(real), 1)
        one.features(clips[0]["video"][None])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="which protocols (default: all)")
    parser.add_argument("--real", required=True, help="a folder of videos")
    parser.add_argument("--clips", type=int, default=4, help="samples, and real clips")
    parser.add_argument("--metric", action="append", default=[], help="only this one of each")
    parser.add_argument("--generated", help="a folder of samples (default: noise)")
    parser.add_argument("--keep", type=Path, help="a folder for samples and features")
    args = parser.parse_args()
    real = collect(args.real)
    for name in args.names or PROTOCOLS:
        keep = nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory()
        with keep as folder:
            samples = Path(args.generated or Path(folder) / name / str(args.clips))
            try:
                protocol = few(PROTOCOLS[name], real, args.clips, args.metric)
                if not samples.exists():
                    write(samples, protocol.generated, args.clips)
                made = protocol.generated.clips(collect(samples), args.clips)
                began = time.monotonic()
                compile_all(protocol, made, real)
                compiled, before = time.monotonic(), time.process_time()
                result = measure(protocol, "noise", made, real, Path(folder) / "statistics")
                spent, used = time.monotonic() - compiled, time.process_time() - before
            except (ValueError, OSError) as error:
                print(f"{name:<44} FAILED: {error}", flush=True)
                continue
        looked = args.clips * (2 if protocol.compared else 1)
        wanted = clock(spent / args.clips * WANTED)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        told = "  ".join(f"{k} {v['value']:.4g}" for k, v in result.values.items())
        print(
            f"{name:<44} compiled in {compiled - began:.0f} s, {spent / looked:.2f} s a clip, "
            f"{used / looked:.2f} s of CPU, {WANTED:,} each {wanted} (extrapolated), "
            f"peak {peak:.2f} GiB  {told}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
