"""Seconds a video of a cascade, stage by stage, undistilled and distilled.

    python tests/benchmarks/cascade_time.py [UNDISTILLED DISTILLED ...] [--videos 1]

Default: experiments/distillation/tiny_teachers_cascade.py and tiny_cascade.py. Every stage runs
twice; the second run is timed, without compilation. Calls are network calls, two a guided step.
Paper (Imagen Video, table 1): 618 s a video, 135 s with all stages but the base distilled, 35 s at
8 steps a stage, 17.7 times less.
"""

import argparse
import time
from pathlib import Path

import jax

from vdm_jax import config, sampling
from vdm_jax.evaluation.elements import evenly_spaced

EXPERIMENTS = Path(__file__).parents[2] / "experiments" / "distillation"
FILES = (EXPERIMENTS / "tiny_teachers_cascade.py", EXPERIMENTS / "tiny_cascade.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cascades", nargs="*", default=FILES, type=Path)
    parser.add_argument("--videos", type=int, default=1, help="videos in one batch (default: 1)")
    args = parser.parse_args()
    cascades = [config.load(path, ("cascade",)) for path in args.cascades]
    measured = [stage_times(cascade, args.videos) for cascade in cascades]
    names = [path.stem for path in args.cascades]
    print(f"{'seconds (calls)':<20}" + "".join(f"{name:>30}" for name in names))
    for number, stage in enumerate(cascades[0].stages):
        cells = (f"{times[number][0]:.2f} ({times[number][1]})" for times in measured)
        print(f"{stage.name:<20}" + "".join(f"{cell:>30}" for cell in cells))
    seconds = [sum(second for second, _ in times) for times in measured]
    calls = [sum(call for _, call in times) for times in measured]
    cells = (f"{s:.2f} ({c})" for s, c in zip(seconds, calls, strict=True))
    print(f"{'all':<20}" + "".join(f"{cell:>30}" for cell in cells))
    for name, s, c in zip(names[1:], seconds[1:], calls[1:], strict=True):
        print(
            f"{name}: {seconds[0] / s:.1f} times faster than {names[0]}, with {calls[0] / c:.1f} "
            "times fewer calls; paper: 618 s and 35 s, 17.7 times"
        )


def stage_times(cascade, videos: int) -> list[tuple[float, int]]:
    """(seconds, network calls) of each stage; each stage upsamples the video of the one before."""
    cascade.check()
    chosen = evenly_spaced(cascade.data, "held_out", videos)
    captions = [str(element["caption"]) for element in chosen]
    low, times = None, []
    for number, stage in enumerate(cascade.stages):
        trained = stage.load()
        cond = trained.encode(captions, [-1] * videos)
        key = jax.random.key(number)
        for _ in range(2):
            start = time.perf_counter()
            video = (
                trained.generate(key, cond, videos)
                if low is None
                else trained.upsample(key, cond, low)
            )
            seconds = time.perf_counter() - start
        generator = trained.generator
        guided = not isinstance(generator, sampling.Distilled) and generator.guidance != 1
        times.append((seconds, generator.sampler.steps * (1 + guided)))
        low = video
        print(f"  {stage.workdir}: {seconds:.2f} s, {video.shape[1:4]}", flush=True)
    return times


if __name__ == "__main__":
    main()
