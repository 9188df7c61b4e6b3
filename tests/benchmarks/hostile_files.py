"""Reads thousands of mutated weight files within a fixed address space.

    python tests/benchmarks/hostile_files.py [--count 1000] [--seed 0]

The files have flipped bits, cut ends, false headers and numbers, cyclic and compressed archives,
and pickles with code. For each file no code may run, memory stays below a small multiple of the
file's size, and the error is one line. The process itself is limited to 512 MiB beyond its start,
which also bounds the allocations of safetensors' Rust side.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import hostile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 2**29
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        began = time.monotonic()
        outcomes = hostile.fuzz(Path(folder), args.count, args.seed)
        seconds = time.monotonic() - began
        os.chdir("/")
    print(json.dumps({"files": args.count, "seed": args.seed, "seconds": round(seconds, 1),
                      "outcomes": dict(sorted(outcomes.items()))}, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
