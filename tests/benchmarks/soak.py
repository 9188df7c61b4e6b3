"""A run that is stopped, killed and damaged again and again equals an undisturbed one.

    python tests/benchmarks/soak.py [--steps 2000] [--workdir DIR] [--seed 0]

Runs one tiny experiment twice by `vdm-jax train`. One run is undisturbed. The other gets SIGTERM or
SIGKILL at random, after a random time of a few seconds, and restarts until it has finished. Once
each, it also meets:

  corrupted  after a kill, the newest checkpoint's largest files are truncated: the run must resume
             from the one before;
  full       the disk is full: the process may not write files larger than 32 kB (RLIMIT_FSIZE), so
             the operating system refuses every checkpoint's arrays in mid-write, as on a full disk;
             no write is imitated. The run must end with an error and leave no partial checkpoint.

Passes if the last checkpoints of both are bit-identical and the log has every line once.
"""

import argparse
import dataclasses
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
SMALLEST = 32 * 2**10  # bytes: below any array of a checkpoint, above a line of the log
EXPERIMENT = """
import tiny
from vdm_jax.checkpoints import Checkpoints


def experiment():
    return tiny.experiment(
        steps={steps}, log_every={log_every}, checkpoints=Checkpoints(every={every})
    )
"""


@dataclasses.dataclass(frozen=True)
class Soak:
    """Parameters of the test.

    steps: training steps of both runs.
    every: steps between checkpoints.
    longest: largest time between two disturbances, in seconds.
    damages: the first disturbances, in order; SIGTERM and SIGKILL at random follow.
    most: number of random disturbances, after which the run is left to finish.
    seed: of the random times and signals.
    """

    steps: int = 2000
    every: int = 20
    longest: float = 5.0
    damages: tuple[str, ...] = ("SIGKILL", "SIGTERM", "corrupted", "SIGTERM", "full")
    most: int = 1000
    seed: int = 0

    def write(self, folder: Path) -> Path:
        """Writes the experiment's file; its path."""
        file = folder / "soak.py"
        log_every = self.every // 2
        text = EXPERIMENT.format(steps=self.steps, every=self.every, log_every=log_every)
        file.write_text(text)
        return file

    def run(self, folder: Path) -> Counter:
        """Runs both; counts of what disturbed the second.

        Raises:
          AssertionError: the second differs from the first.
        """
        file, rng, done = self.write(folder), random.Random(self.seed), Counter()
        whole, rough = folder / "whole", folder / "rough"
        wait_for_exit(start(file, whole), 0)
        while (newest(rough) or 0) < self.steps:
            number = sum(done.values())
            assert number < self.most + len(self.damages), f"no end in sight: {done}"
            what = rng.choice(("SIGTERM", "SIGKILL"))
            if number < len(self.damages):
                what = self.damages[number]
            elif number >= self.most:
                what = "nothing"
            done[what] += self.disturb(what, file, rough, rng)
        self.compare(file, whole, rough)
        return done

    def disturb(self, what: str, file: Path, workdir: Path, rng: random.Random) -> int:
        """Starts the run and disturbs it; 1, or 0 if the run finished first."""
        before = newest(workdir) or 0
        if what == "nothing":
            return wait_for_exit(start(file, workdir), 0)
        if what == "full":
            wait_for_exit(start(file, workdir, largest=SMALLEST), None)
            assert (newest(workdir) or 0) <= before, "a partial checkpoint counts as a complete one"
            return 1
        process = start(file, workdir)
        # The run keeps an older checkpoint besides the corrupted one.
        wait_for(process, workdir, max(before, self.every) + 1 if what == "corrupted" else before)
        time.sleep(rng.uniform(0, self.longest))
        if process.poll() is not None:
            return wait_for_exit(process, 0)
        process.send_signal(signal.SIGTERM if what == "SIGTERM" else signal.SIGKILL)
        process.communicate()
        by_signal = (128 + signal.SIGTERM, -signal.SIGTERM, -signal.SIGKILL)
        assert process.returncode in (0, *by_signal), process.returncode
        if what == "corrupted":
            corrupt(workdir)
        return 1

    def compare(self, file: Path, whole: Path, rough: Path) -> None:
        """Asserts that both runs have the same state and log."""
        a, b = (state(file, folder) for folder in (whole, rough))
        assert int(a["step"]) == self.steps and a.keys() == b.keys()
        for name in a:
            assert np.array_equal(a[name], b[name]), f"{name} differs"
        logs = [
            [json.loads(line) for line in (folder / "metrics.jsonl").open()]
            for folder in (whole, rough)
        ]
        steps = [[line["step"] for line in log] for log in logs]
        assert steps[1] == sorted(set(steps[1])) and set(steps[0]) <= set(steps[1])


def start(file: Path, workdir: Path, largest: int | None = None) -> subprocess.Popen:
    """Starts `vdm-jax train`; `largest` bounds the files it may write, in bytes."""

    def limit():
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    path = os.pathsep.join((str(TESTS.parent), str(TESTS)))
    return subprocess.Popen(
        [sys.executable, "-m", "vdm_jax", "train", str(file), "--workdir", str(workdir)],
        env=os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        preexec_fn=limit,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_exit(process: subprocess.Popen, status: int | None) -> int:
    """Waits until the process exits, with this status or, for None, with a nonzero one; 0."""
    output, _ = process.communicate(timeout=3600)
    right = process.returncode == status if status is not None else process.returncode != 0
    assert right, f"status {process.returncode}:\n{output[-4000:]}"
    return 0


def newest(workdir: Path) -> int | None:
    """The step of the newest complete checkpoint."""
    steps = [int(p.name) for p in (workdir / "checkpoints").glob("*") if p.name.isdigit()]
    return max(steps, default=None)


def wait_for(process: subprocess.Popen, workdir: Path, step: int) -> None:
    """Waits until the process writes its log and a checkpoint of `step` or later exists."""
    log, began = workdir / "metrics.jsonl", time.time()
    while process.poll() is None:
        fresh = log.exists() and log.stat().st_mtime > began and log.stat().st_size > 0
        if fresh and (newest(workdir) or 0) >= step:
            return
        time.sleep(0.02)


def corrupt(workdir: Path) -> None:
    """Truncates the files of the newest checkpoint that hold its arrays."""
    newest_ = workdir / "checkpoints" / str(newest(workdir))
    files = [f for f in newest_.rglob("*") if f.is_file() and f.stat().st_size > SMALLEST]
    assert files, f"no file to truncate in {newest_}"
    for file in files:
        os.truncate(file, 100)


def state(file: Path, workdir: Path) -> dict[str, np.ndarray]:
    """The arrays of a run's newest checkpoint, by path."""
    import jax

    from vdm_jax import training
    from vdm_jax.checkpoints import Store
    from vdm_jax.training import resuming

    experiment, store = training.load(file), Store(workdir)
    restored, _, _ = resuming.restore_or_init(experiment, experiment.mesh.build(), store, None)
    store.close()
    leaves = jax.tree_util.tree_leaves_with_path(restored)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in leaves
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=Soak.steps)
    parser.add_argument("--seed", type=int, default=Soak.seed)
    parser.add_argument("--workdir", type=Path)
    args = parser.parse_args()
    folder = args.workdir or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    done = Soak(steps=args.steps, seed=args.seed).run(folder)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(done.items()) if count)
    print(f"{args.steps} steps in {time.monotonic() - began:.0f} s, with {counts}: bit-identical")


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS.parent), str(TESTS)]
    main()
