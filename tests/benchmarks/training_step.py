"""A training step of our video U-Net against video-diffusion-pytorch's, on a CPU or a GPU.

    pip install -e '.[benchmark]'
    pip install --no-deps video-diffusion-pytorch==0.7.0   # it asks for torchvision, to write GIFs
    python tests/benchmarks/training_step.py [--device gpu] [--rounds 5] [--steps 1]

CPU: float32, clips of 4x8x32x32x3 (b f h w c), 32, 64 and 128 channels. GPU: bfloat16,
8x16x64x64x3, 128, 256 and 512 channels, with torch compiling the rival's network and loss. A step
is forward, backward and Adam. Each side is a process with all cores, and only one works at a time;
rounds alternate. Seconds are medians over the rounds, by the clock and by the CPU time of all
threads (less disturbed by other work). CPU memory is the process's peak above its imports,
compilation included ("peak memory"), and above its size before the first step ("of steps"); GPU
memory is what was allocated. Ratios are ours / theirs: below 1 is ours ahead.

What each computes (similar sizes, different networks):

  video-diffusion-pytorch   `Unet3D(dim=32, dim_mults=(1, 2, 4))`, 3.2 M parameters. Per level two
      residual blocks, linear spatial attention and temporal attention, down and up; full spatial
      attention in the middle; 8 heads of 32 features in every attention, whatever the width; one
      more temporal attention after a 7x7 stem; rotary and T5 relative positions; convolutions
      (4x4 strided, transposed) between levels. Loss on eps, plain Adam.
  vdm_jax   3.6 M parameters. Per level one residual block and one that changes resolution on the
      way down, two and one on the way up; linear spatial attention at 32x32 and 16x16, full at
      8x8, temporal attention with Shaw's relative positions at every level; 8 heads that share the
      level's channels; a 3x3 stem. Loss on eps; the step of `training.make_step`: Adam, clipping
      by the global norm, the moving average of the parameters, a check that gradients are finite.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import types
from functools import partial
from typing import NamedTuple

import psutil


class Sizes(NamedTuple):
    """Batch of clips, channels of the first level, and the dtype of both sides."""

    batch: int
    frames: int
    size: int
    channels: int
    dtype: str


SIZES = {"cpu": Sizes(4, 8, 32, 32, "float32"), "gpu": Sizes(8, 16, 64, 128, "bfloat16")}
WIDTHS = (1, 2, 4)


def ours(device: str):
    """Our side; yields after imports, then (parameters, compile seconds), then MiB of each step."""
    os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[device]
    import jax
    import numpy as np

    from vdm_jax import diffusion, models, nn, parallel, training

    yield
    sizes = SIZES[device]
    heads = [sizes.channels * width // 8 for width in WIDTHS]
    space = [nn.LinearSpatialAttention, nn.LinearSpatialAttention, nn.SpatialAttention]
    unet = models.UNet(
        channels=sizes.channels,
        levels=tuple(
            models.Level(width, (attention(head), nn.TemporalAttention(head)), blocks=1)
            for width, head, attention in zip(WIDTHS, heads, space, strict=True)
        ),
        embedding=nn.Embedding(width=4 * sizes.channels, layers=2),
    )
    process = diffusion.Process(diffusion.Cosine(), parameterization=diffusion.Eps())
    task = training.Denoising(unet, process, weight=diffusion.SNR(), dtype=sizes.dtype)
    optimizer = training.Adam(peak=1e-4, warmup=1)
    random = np.random.default_rng(0)
    shape = (sizes.batch, sizes.frames, sizes.size, sizes.size, 3)
    batch = {"video": jax.device_put(random.integers(0, 256, shape).astype(np.uint8))}

    # As in `vdm-jax train`, no name keeps the initialization's program alive.
    state, frozen = jax.jit(partial(training.init, task, optimizer, batch=batch))(jax.random.key(0))
    jax.block_until_ready(state)
    start = time.perf_counter()
    step = jax.jit(training.make_step(task, optimizer, 1000), donate_argnums=0)
    step = parallel.compile_lowered(step.lower(state, frozen, batch))
    yield sum(p.size for p in jax.tree.leaves(state.params)), time.perf_counter() - start
    while True:
        state, _ = step(state, frozen, batch)
        jax.block_until_ready(state)
        stats = jax.devices()[0].memory_stats() or {}
        yield stats.get("peak_bytes_in_use", 0) / 2**20 if device == "gpu" else resident()


def theirs(device: str):
    """The rival's side, with the same yields."""
    torchvision = types.ModuleType("torchvision")
    torchvision.transforms = types.SimpleNamespace(ToTensor=lambda: None)
    torchvision.utils = None
    sys.modules["torchvision"] = torchvision
    import torch
    from video_diffusion_pytorch import GaussianDiffusion, Unet3D
    from video_diffusion_pytorch import video_diffusion_pytorch as rival

    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    torch._dynamo.config.recompile_limit = 64  # it needs a graph per width; the default limit is 8
    # torch 2.11 compiles its norms to a backward pass whose gradient has a wrong shape on GPUs.
    rival.LayerNorm.forward = torch.compiler.disable(rival.LayerNorm.forward)
    yield
    sizes, gpu = SIZES[device], device == "gpu"
    where = torch.device("cuda" if gpu else "cpu")
    unet = Unet3D(dim=sizes.channels, dim_mults=WIDTHS)
    model = GaussianDiffusion(
        unet, image_size=sizes.size, num_frames=sizes.frames, timesteps=1000, loss_type="l2"
    ).to(where)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=gpu)
    video = torch.rand(sizes.batch, 3, sizes.frames, sizes.size, sizes.size, device=where)
    loss = torch.compile(model, dynamic=False) if gpu else model
    yield sum(p.numel() for p in unet.parameters()), 0.0
    while True:
        optimizer.zero_grad()
        with torch.autocast(where.type, getattr(torch, sizes.dtype), enabled=gpu):
            error = loss(video)
        error.backward()
        optimizer.step()
        if gpu:
            torch.cuda.synchronize()
        yield torch.cuda.max_memory_allocated() / 2**20 if gpu else resident()


def resident() -> float:
    """Peak memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux: KiB


def memory() -> float:
    """Memory of this process, MiB."""
    return psutil.Process().memory_info().rss / 2**20


SIDES = {"vdm_jax": ours, "video-diffusion-pytorch": theirs}


def serve(side: str, device: str) -> None:
    """A side's process: reads numbers of steps, a line each; answers with times and memory."""
    work = SIDES[side](device)
    next(work)
    imported = resident() if device == "cpu" else 0.0
    parameters, compile_seconds = next(work)
    before = memory() if device == "cpu" else 0.0
    began = time.perf_counter()
    next(work)
    first = compile_seconds + time.perf_counter() - began  # torch compiles at its first call
    print(json.dumps({"parameters": parameters, "first_seconds": first}), flush=True)
    for line in sys.stdin:
        steps, wall, cpu = int(line), time.perf_counter(), time.process_time()
        for _ in range(steps):
            peak = next(work)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        round_ = {
            "seconds": wall / steps,
            "cpu_seconds": cpu / steps,
            "peak_mib": peak - imported,
            "steps_mib": peak - before,
        }
        print(json.dumps(round_), flush=True)


def measure(device: str, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Medians of both sides, which take turns."""
    command = [sys.executable, __file__, "--device", device, "--side"]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers, results, log = {}, {}, {side: [] for side in SIDES}
    for side in SIDES:  # one after the other: no two compile at once
        workers[side] = subprocess.Popen([*command, side], **pipe)
        results[side] = _answer(workers[side], side)
    for _ in range(rounds):
        for side, worker in workers.items():
            worker.stdin.write(f"{steps}\n")
            worker.stdin.flush()
            log[side].append(_answer(worker, side))
    for side, worker in workers.items():
        worker.stdin.close()
        worker.wait()
        for name in ("seconds", "cpu_seconds"):
            results[side][name] = statistics.median(entry[name] for entry in log[side])
        for name in ("peak_mib", "steps_mib"):
            results[side][name] = log[side][-1][name]
    return results


def _answer(worker: subprocess.Popen, side: str) -> dict[str, float]:
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{side} ended early; its error is above. Is '.[benchmark]' installed?")
    return json.loads(line)


def report(device: str, results: dict[str, dict[str, float]]) -> None:
    """Prints a table and a line of JSON."""
    ours, theirs = results.values()
    compared = ("seconds", "cpu_seconds", "peak_mib", "steps_mib")
    ratios = {name: ours[name] / theirs[name] for name in compared}
    columns = {
        "parameters": lambda r: f"{r['parameters'] / 1e6:.2f} M",
        "first step": lambda r: f"{r['first_seconds']:.1f} s",
        "step": lambda r: f"{r['seconds']:.3f} s",
        "step (CPU)": lambda r: f"{r['cpu_seconds']:.3f} s",
        "peak memory": lambda r: f"{r['peak_mib']:.0f} MiB",
        "of steps": lambda r: f"{r['steps_mib']:.0f} MiB",
    }
    print("".join([" " * 26, *(f"{name:>13}" for name in columns)]))
    for side, result in results.items():
        print("".join([f"{side:<26}", *(f"{show(result):>13}" for show in columns.values())]))
    print(f"{'ours / theirs':<52}", *(f"{ratio:>12.2f}" for ratio in ratios.values()))
    load = round(os.getloadavg()[0], 1)
    facts = {"cores": os.cpu_count(), "load": load, "device": device, **SIZES[device]._asdict()}
    print(json.dumps({**facts, **results, "ratios": ratios}))


def main() -> None:
    parser = argparse.ArgumentParser(description="Our training step against the rival's.")
    parser.add_argument("--device", choices=SIZES, default="cpu")
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each side (default: %(default)s)"
    )
    parser.add_argument(
        "--steps", type=int, default=1, help="training steps a turn (default: %(default)s)"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        serve(args.side, args.device)
    else:
        report(args.device, measure(args.device, args.rounds, args.steps))


if __name__ == "__main__":
    main()
