"""Read thousands of mutated weight files within a fixed address space: none may do harm.

    python tests/benchmarks/hostile_files.py [--count 1000] [--seed 0]

Bits turned over, files cut short, headers and numbers that lie, cyclic and compressed archives,
pickles with code: for each, no code runs, no more memory is taken than a small multiple of the
file, and what is wrong is said in one line. The process itself may take 512 MiB beyond what it has
at the start, so that what the Rust side of safetensors allocates is bounded too.
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
        outcomes = hostile.judge(Path(folder), args.count, args.seed)
        seconds = time.monotonic() - began
        os.chdir("/")
    print(json.dumps({"files": args.count, "seed": args.seed, "seconds": round(seconds, 1),
                      "outcomes": dict(sorted(outcomes.items()))}, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
