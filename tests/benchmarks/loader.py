"""Clips of 16x64x64 from UCF-101's files: our loader on shards against PyTorch's DataLoader.

    PYTHONPATH=. python tests/benchmarks/loader.py --videos UCF-101 \\
        [--batches 100] [--rounds 5] [--scratch DIR]
    PYTHONPATH=. python tests/benchmarks/loader.py --videos UCF-101 --leak 10000

The rival decodes the same files with torchcodec, where it loads, and with decord, each by its
cheapest call: decord resizes while decoding. Both sides draw a random window of every video in
random order, resize the short side to 64 (with decord's filter, bicubic) and crop the center,
alternately, with a process a core (ours also with threads, its default, which takes less memory).
Reported are medians over the rounds: clips a second, CPU time a clip (less disturbed by other work)
and the unique memory (USS) of all processes. A folder of few videos is copied under further names.
--leak reads this many batches of 2 clips, by threads and by processes, and prints the memory along
the way.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch

from data.common import Recode
from data.video_folder.video_folder_dataset_builder import Builder
from vdm_jax import data
from vdm_jax.data.videos import Filter

FRAMES, SIZE, BATCH = 16, 64, 8


class Rival(torch.utils.data.Dataset):
    """A random window of each file."""

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
    """The rivals that load on this machine."""
    loaded = {}
    for name, kind in (("decord", Decord), ("torchcodec", TorchCodec)):
        try:
            __import__(name)
            loaded[name] = kind
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} does not load: {str(error).splitlines()[0]}", flush=True)
    return loaded


def memory() -> float:
    """Unique memory of this process and its children, in MiB."""
    me = psutil.Process()
    return sum(p.memory_full_info().uss for p in (me, *me.children(recursive=True))) / 2**20


def cpu_seconds() -> float:
    """CPU seconds of this process and its children."""
    me = psutil.Process()
    return sum(sum(p.cpu_times()[:2]) for p in (me, *me.children(recursive=True)))


def time_batches(batches, count: int) -> tuple[float, float, float]:
    """(clips a second, CPU milliseconds a clip, MiB) over `count` batches, after 4 others."""
    for _ in range(4):
        next(batches)
    began, began_cpu = time.perf_counter(), cpu_seconds()
    for _ in range(count):
        next(batches)
    clips = count * BATCH
    speed = clips / (time.perf_counter() - began)
    return speed, 1000 * (cpu_seconds() - began_cpu) / clips, memory()


def endless(loader):
    while True:
        yield from loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--leak", type=int, default=0)
    parser.add_argument(
        "--scratch", type=Path, help="a folder that keeps the shards for the next run"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.scratch or Path(scratch)
        paths = copy_videos(args.videos, folder / "many")
        out = {"options": {"source": str(folder / "many")}, "data_dir": str(folder / "out")}
        print(f"{len(paths)} files; building shards", flush=True)
        Builder(**out).build()
        if args.leak:
            leak(args, folder / "out")
            return
        Builder(**out, copy=Recode(size=SIZE)).build()
        compare(args, paths, folder / "out")


def copy_videos(videos: Path, folder: Path, least: int = 1024) -> list[str]:
    """Copies a folder's files, under further names, until there are `least`; their paths."""
    files = sorted(p for p in videos.rglob("*") if p.suffix in (".avi", ".mp4"))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(max(least, len(files))):
        file = files[number % len(files)]
        if not (copy := folder / f"{number:05}{file.suffix}").exists():
            shutil.copyfile(file, copy)
    return sorted(map(str, folder.iterdir()))


@dataclass(frozen=True)
class Ours:
    """Our loader: a random window of each video, cropped to the center."""

    dataset: str = "video_folder"
    filter: Filter = "bicubic"
    processes: int = 0

    def batches(self, out: Path, batch: int, cores: int, seed: int) -> data.Batches:
        crop = data.CenterCrop(filter=self.filter)
        source = data.Clips(
            self.dataset, path=str(out), held_out=None, frames=FRAMES, size=SIZE, crop=crop
        )
        loader = data.Loader(batch=batch, workers=self.processes, ahead=2 * cores)
        return loader(source.clips("train"), seed=seed)


def compare(args: argparse.Namespace, paths: list[str], out: Path) -> None:
    loaders = {
        "ours": Ours(processes=args.cores),
        "ours, threads": Ours(),
        "ours, Lanczos": Ours(filter="lanczos", processes=args.cores),
        "ours, --size 64": Ours("video_folder/64px_crf18", processes=args.cores),
    }
    others = rivals()
    times: dict[str, list[tuple[float, float, float]]] = {}
    for number in range(args.rounds):
        for name, ours in loaders.items():
            batches = ours.batches(out, BATCH, args.cores, number)
            times.setdefault(name, []).append(time_batches(batches, args.batches))
            batches.close()
        for name, kind in others.items():
            theirs = torch.utils.data.DataLoader(
                kind(paths),
                BATCH,
                shuffle=True,
                num_workers=args.cores,
                drop_last=True,
                persistent_workers=True,
                prefetch_factor=2,
                multiprocessing_context="spawn",  # a fork would copy our readers' locks
            )
            iterator = endless(theirs)
            times.setdefault(name, []).append(time_batches(iterator, args.batches))
            del iterator, theirs
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)]
        for name, rounds in times.items()
    }
    for name, rounds in times.items():
        speed, cost, peak = medians[name]
        print(f"{name:<18}{speed:8.1f} clips/s{cost:8.2f} ms of CPU/clip{peak:8.0f} MiB   "
              f"({', '.join(f'{row[0]:.0f}' for row in rounds)})", flush=True)  # fmt: skip
    for name in others:
        speed = medians["ours"][0] / medians[name][0]
        cost = medians["ours"][1] / medians[name][1]
        print(f"against {name}: {speed:.2f} times the clips/s, {cost:.2f} times the CPU time")


def leak(args: argparse.Namespace, out: Path) -> None:
    """Prints the memory along many batches."""
    for processes in (0, args.cores):
        print(f"by {processes} processes" if processes else "by threads", flush=True)
        batches = Ours(processes=processes).batches(out, 2, args.cores, seed=0)
        for number in range(args.leak + 1):
            next(batches)
            if number % (args.leak // 10) == 0:
                print(f"batch {number:>6}: {memory():8.0f} MiB", flush=True)
        batches.close()


if __name__ == "__main__":
    main()
