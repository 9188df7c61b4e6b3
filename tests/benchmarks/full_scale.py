"""Builds UCF-101 and MSR-VTT with their official names and full number of clips, each clip tiny.

    PYTHONPATH=.:tests/data:tests/datasets \\
        python tests/benchmarks/full_scale.py --lists ucfTrainTestlist [--jobs 2]

Fails unless every official count is met. Prints the seconds of each build.
"""

import argparse
import tempfile
import time
from pathlib import Path

import archives

from data.build import builder_class


def build(name: str, folder: Path, options: dict[str, Path], jobs: int | None) -> None:
    """Builds a data set and prints its report."""
    began = time.monotonic()
    paths = {option: str(path) for option, path in options.items()}
    report = builder_class(name)(options=paths, jobs=jobs, data_dir=str(folder)).build()
    print(report)
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    if not report.complete:
        raise SystemExit(f"{name}: the counts differ from the published ones")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=Path, required=True)
    parser.add_argument("--jobs", type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = archives.ucf101(folder / "ucf101", args.lists)
        build("ucf101", folder, {"source": source, "lists": args.lists}, args.jobs)
        source = archives.msr_vtt(folder / "msr_vtt", range(10_000))
        build("msr_vtt", folder, {"source": source}, args.jobs)


if __name__ == "__main__":
    main()
