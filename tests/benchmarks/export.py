"""Speed of reading and writing weights beside the disk's own, and peak memory.

    python tests/benchmarks/export.py [--gib 1] [--shards 4] [--folder DIR]

Generates a checkpoint. Each measurement is a process of its own and starts with the files out of
the page cache: read the bytes, copy the bytes (chunks of 16 MiB), read every array as an import
does, rewrite the checkpoint as `vdm-jax import` and `export` do. Memory is what the process takes
beyond its imports. Targets: half the disk's speed, a peak below 1.2 times the largest file.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHUNK = 2**24


def plain(source: Path, target: Path | None) -> None:
    """Reads the bytes of every file, or copies them."""
    buffer = bytearray(CHUNK)
    for file in sorted(source.glob("*.safetensors")):
        copy = target / file.name if target else os.devnull
        with file.open("rb", buffering=0) as read, open(copy, "wb") as write:
            while count := read.readinto(buffer):
                if target:
                    write.write(memoryview(buffer)[:count])


def arrays(source: Path, target: Path | None) -> None:
    """Reads every array, or rewrites it."""
    from vdm_jax.checkpoints import safetensors

    tensors = safetensors.Safetensors(source)
    if target:
        safetensors.write(target, tensors, shard_bytes=max(f.stat().st_size for f in tensors.files))
        return
    for name in tensors:
        tensors[name].reshape(-1)[-1]


def measure(what: str, source: Path, target: Path | None) -> dict[str, float]:
    """Seconds until everything is on disk, and peak memory beyond the start in MiB."""
    import vdm_jax.checkpoints  # noqa: F401

    for file in source.glob("*.safetensors"):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = memory("VmRSS")
    began = time.monotonic()
    {"plain": plain, "arrays": arrays}[what](source, target)
    for file in target.glob("*.safetensors") if target else ():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    seconds = time.monotonic() - began
    return {"seconds": seconds, "peak_mib": memory("VmHWM") - before}


def memory(field: str) -> float:
    """Memory of this process in MiB: VmRSS is the present one, VmHWM the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def generate(folder: Path, size: int, shards: int) -> None:
    """Writes a checkpoint of random bytes as float32 arrays of 1 to 16 MiB."""
    import numpy as np

    from vdm_jax.checkpoints import safetensors
    from vdm_jax.checkpoints.tensors import InMemoryTensors

    random, tensors = np.random.default_rng(0), InMemoryTensors()
    block = random.integers(0, 2**31, 2**22, np.uint32)
    while size > 0:
        sides = (int(random.integers(1, 17)) * 256, 1024)
        part = np.roll(block, len(tensors))[: sides[0] * sides[1]]
        tensors[f"block_{len(tensors)}/kernel"] = part.view(np.float32).reshape(sides)
        size -= sides[0] * sides[1] * 4
    total = sum(a.nbytes for a in tensors.values())
    safetensors.write(folder, tensors, shard_bytes=-(-total // shards) + CHUNK // 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--folder", help="working folder (default: a temporary one)")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        what, source, *target = args.only
        print(json.dumps(measure(what, Path(source), Path(target[0]) if target else None)))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as work:
        source = Path(work) / "source"
        source.mkdir()
        generate(source, int(args.gib * 2**30), args.shards)
        sizes = [f.stat().st_size for f in source.glob("*.safetensors")]
        results = {}
        for name in ("read", "write", "read", "write"):  # the better of two counts
            for what in ("plain", "arrays"):
                target = Path(work) / "target"
                target.mkdir()
                argv = [sys.executable, __file__, "--only", what, str(source)]
                argv += [str(target)] if name == "write" else []
                measured = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
                key = f"{name} {what}"
                results[key] = min(results.get(key, measured), measured, key=lambda r: r["seconds"])
                shutil.rmtree(target)
    total, largest = sum(sizes) / 2**20, max(sizes) / 2**20
    report = {k: {"mib_per_second": round(total / v["seconds"]), "peak_mib": round(v["peak_mib"])}
              for k, v in results.items()}  # fmt: skip
    for name in ("read", "write"):
        fast, ours = results[f"{name} plain"], results[f"{name} arrays"]
        report[f"{name} arrays"]["of_plain_speed"] = round(fast["seconds"] / ours["seconds"], 2)
        report[f"{name} arrays"]["peak_of_largest_file"] = round(ours["peak_mib"] / largest, 2)
    facts = {"mib": round(total), "files": len(sizes), "largest_file_mib": round(largest)}
    print(json.dumps({**facts, **report}, indent=2))


if __name__ == "__main__":
    main()
