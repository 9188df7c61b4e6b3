"""Clips of 16x64x64 from UCF-101's files: our loader on shards against PyTorch's DataLoader.

    PYTHONPATH=. python tests/benchmarks/loader.py --videos UCF-101 \\
        [--batches 100] [--rounds 5] [--leak 10000]

The rival decodes the same files with torchcodec where that loads, and with decord, each asked to
do as little as it can: decord resizes while it decodes. Both sides draw a random window of every
video in a random order, resize the short side to 64 and crop the centre, with as many processes as
there are cores, in turns, and the median of the rounds is told, as clips a second and as processor
time a clip, which does not suffer from whatever else the machine does. Where the folder holds few
videos each is there many times over, under other names. Also told: the memory of all processes
(their unique memory, USS), and whether ours grows over --leak batches of 2 clips.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from data.common import Recode
from data.video_folder.video_folder_dataset_builder import Builder
from vdm_jax import data

FRAMES, SIZE, BATCH = 16, 64, 8


class Rival(torch.utils.data.Dataset):
    """A random window of each of some files."""

    def __init__(self, paths: list[str]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        video = self.window(self.paths[index])
        left = (video.shape[2] - SIZE) // 2
        return video[:, :, left : left + SIZE].contiguous()


class Decord(Rival):
    def window(self, path: str) -> torch.Tensor:
        import decord

        reader = decord.VideoReader(path, width=85, height=SIZE, num_threads=1)
        start = int(torch.randint(len(reader) - FRAMES + 1, ()))
        frames = reader.get_batch(np.arange(start, start + FRAMES))
        return torch.from_numpy(frames.asnumpy())


class TorchCodec(Rival):
    def window(self, path: str) -> torch.Tensor:
        from torchcodec.decoders import VideoDecoder

        reader = VideoDecoder(path, num_ffmpeg_threads=1, dimension_order="NCHW")
        start = int(torch.randint(len(reader) - FRAMES + 1, ()))
        frames = reader.get_frames_in_range(start, start + FRAMES).data
        small = torch.nn.functional.interpolate(
            frames.float(), (SIZE, 85), mode="bilinear", antialias=True
        )
        return small.round().to(torch.uint8).permute(0, 2, 3, 1)


def rivals() -> dict[str, type[Rival]]:
    """Those that load on this machine."""
    found = {}
    for name, kind in (("decord", Decord), ("torchcodec", TorchCodec)):
        try:
            __import__(name)
            found[name] = kind
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} does not load here: {str(error).splitlines()[0]}", flush=True)
    return found


def memory() -> float:
    """MiB that this process and its children have for themselves."""
    me = psutil.Process()
    return sum(p.memory_full_info().uss for p in (me, *me.children(recursive=True))) / 2**20


def work() -> float:
    """Seconds of processor time that this process and its children have had."""
    me = psutil.Process()
    return sum(sum(p.cpu_times()[:2]) for p in (me, *me.children(recursive=True)))


def timed(batches, count: int) -> tuple[float, float, float]:
    """(clips a second, processor milliseconds a clip, MiB) over `count` batches, after a few."""
    for _ in range(4):
        next(batches)
    began, worked = time.perf_counter(), work()
    for _ in range(count):
        next(batches)
    clips = count * BATCH
    speed = clips / (time.perf_counter() - began)
    return speed, 1000 * (work() - worked) / clips, memory()


def endless(loader):
    while True:
        yield from loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--leak", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = many(args.videos, folder / "many")
        out = {"options": {"source": str(folder / "many")}, "data_dir": str(folder / "out")}
        print(f"{len(paths)} files; building shards", flush=True)
        Builder(**out).build()
        Builder(**out, recode=Recode(size=SIZE)).build()
        compare(args, paths, str(folder / "out"))


def many(videos: Path, folder: Path, least: int = 80) -> list[str]:
    """The files of a folder, linked under other names until there are enough."""
    files = sorted(p for p in videos.rglob("*") if p.suffix in (".avi", ".mp4"))
    folder.mkdir()
    for number in range(max(least, len(files))):
        file = files[number % len(files)]
        os.symlink(file.resolve(), folder / f"{number:05}{file.suffix}")
    return sorted(map(str, folder.iterdir()))


def compare(args: argparse.Namespace, paths: list[str], out: str) -> None:
    shards = {
        "ours": data.Clips("video_folder", path=out, held_out=None, frames=FRAMES, size=SIZE),
        "ours, --size 64": data.Clips(
            "video_folder/64px_crf18", path=out, held_out=None, frames=FRAMES, size=SIZE
        ),
    }
    others = rivals()
    found: dict[str, list[tuple[float, float, float]]] = {}
    for number in range(args.rounds):
        for name, source in shards.items():
            loader = data.Loader(batch=BATCH, workers=args.workers, ahead=2 * args.workers)
            batches = loader(source.clips("train"), seed=number)
            found.setdefault(name, []).append(timed(batches, args.batches))
            batches.close()
        for name, kind in others.items():
            theirs = torch.utils.data.DataLoader(
                kind(paths),
                BATCH,
                shuffle=True,
                num_workers=args.workers,
                drop_last=True,
                persistent_workers=True,
                prefetch_factor=2,
                multiprocessing_context="spawn",  # a fork would take our readers' locks
            )
            iterator = endless(theirs)
            found.setdefault(name, []).append(timed(iterator, args.batches))
            del iterator, theirs
    for name, rounds in found.items():
        speed, cost, peak = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:<18}{speed:8.1f} clips/s{cost:8.2f} ms of processor/clip{peak:8.0f} MiB   "
              f"({', '.join(f'{row[0]:.0f}' for row in rounds)})", flush=True)  # fmt: skip
    if args.leak:
        leak(shards["ours"], args)


def leak(source: data.Clips, args: argparse.Namespace) -> None:
    """Memory along many batches."""
    loader = data.Loader(batch=2, workers=args.workers)
    batches = loader(source.clips("train"), seed=0)
    for number in range(args.leak + 1):
        next(batches)
        if number % (args.leak // 10) == 0:
            print(f"batch {number:>6}: {memory():8.0f} MiB", flush=True)
    batches.close()


if __name__ == "__main__":
    main()
