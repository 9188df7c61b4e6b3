"""A run that is stopped, killed and damaged again and again ends as one that was left alone.

    python tests/benchmarks/soak.py [--steps 2000] [--workdir DIR] [--seed 0]

Two runs of one tiny experiment, each a `vdm-jax train` process: one is left alone; the other gets
SIGTERM or SIGKILL, at random, after a random time within a few seconds, and is started again until
it is done. On the way, once each:

  corrupted  the newest checkpoint's largest files are cut short after a kill: the run has to go on
             from the one before;
  full       the disk is full. For that the process may not write files larger than 32 kB
             (RLIMIT_FSIZE): the operating system refuses the arrays of every checkpoint, in the
             middle of a write, as on a full disk, and no write is imitated. The run has to end with
             an error, and without a checkpoint that is half there.

Passes if the last checkpoints of both hold the same bits, and the log has every line once.
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
SMALLEST = 32 * 2**10  # bytes; less than any array of a checkpoint, more than a line of the log
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
    """How long, and how rough: `damages` come one after another, and are followed by SIGTERMs and
    SIGKILLs to the end, `longest` seconds apart at most."""

    steps: int = 2000
    every: int = 20
    longest: float = 5.0
    damages: tuple[str, ...] = ("SIGKILL", "SIGTERM", "corrupted", "SIGTERM", "full")
    most: int = 1000
    seed: int = 0

    def write(self, folder: Path) -> Path:
        """The experiment's file."""
        file = folder / "soak.py"
        log_every = self.every // 2
        text = EXPERIMENT.format(steps=self.steps, every=self.every, log_every=log_every)
        file.write_text(text)
        return file

    def run(self, folder: Path) -> Counter:
        """Both runs; what was done to the second.

        Raises:
          AssertionError: it is not what the first is.
        """
        file, rng, done = self.write(folder), random.Random(self.seed), Counter()
        whole, rough = folder / "whole", folder / "rough"
        ended(started(file, whole), 0)
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
        """Starts the run and does this to it; 1, or 0 if it was done before that."""
        before = newest(workdir) or 0
        if what == "nothing":
            return ended(started(file, workdir), 0)
        if what == "full":
            ended(started(file, workdir, largest=SMALLEST), None)
            assert (newest(workdir) or 0) <= before, "half a checkpoint passes for a whole one"
            return 1
        process = started(file, workdir)
        # What is corrupted is not the only checkpoint: the run has something to go back to.
        wait_for(process, workdir, max(before, self.every) + 1 if what == "corrupted" else before)
        time.sleep(rng.uniform(0, self.longest))
        if process.poll() is not None:
            return ended(process, 0)
        process.send_signal(signal.SIGTERM if what == "SIGTERM" else signal.SIGKILL)
        process.communicate()
        by_signal = (128 + signal.SIGTERM, -signal.SIGTERM, -signal.SIGKILL)
        assert process.returncode in (0, *by_signal), process.returncode
        if what == "corrupted":
            corrupt(workdir)
        return 1

    def compare(self, file: Path, whole: Path, rough: Path) -> None:
        """Refuses runs that are not the same."""
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


def started(file: Path, workdir: Path, largest: int | None = None) -> subprocess.Popen:
    """`vdm-jax train`, which may write files of at most so many bytes."""

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


def ended(process: subprocess.Popen, status: int | None) -> int:
    """0, once the process has ended with this status, or, for None, with one that is not 0."""
    told, _ = process.communicate(timeout=3600)
    right = process.returncode == status if status is not None else process.returncode != 0
    assert right, f"status {process.returncode}:\n{told[-4000:]}"
    return 0


def newest(workdir: Path) -> int | None:
    """The step of the newest checkpoint that says it is whole."""
    steps = [int(p.name) for p in (workdir / "checkpoints").glob("*") if p.name.isdigit()]
    return max(steps, default=None)


def wait_for(process: subprocess.Popen, workdir: Path, step: int) -> None:
    """Until the process writes its log, and there is a checkpoint as late as `step`."""
    log, began = workdir / "metrics.jsonl", time.time()
    while process.poll() is None:
        fresh = log.exists() and log.stat().st_mtime > began and log.stat().st_size > 0
        if fresh and (newest(workdir) or 0) >= step:
            return
        time.sleep(0.02)


def corrupt(workdir: Path) -> None:
    """Cuts the files of the newest checkpoint short that hold its arrays."""
    newest_ = workdir / "checkpoints" / str(newest(workdir))
    cut = [f for f in newest_.rglob("*") if f.is_file() and f.stat().st_size > SMALLEST]
    assert cut, f"nothing to cut in {newest_}"
    for file in cut:
        os.truncate(file, 100)


def state(file: Path, workdir: Path) -> dict[str, np.ndarray]:
    """Every array of a run's newest checkpoint."""
    import jax

    from vdm_jax import training
    from vdm_jax.checkpoints import Store
    from vdm_jax.training import loop

    experiment, store = training.load(file), Store(workdir)
    found, _, _ = loop.start(experiment, experiment.mesh.build(), store, None)
    store.close()
    leaves = jax.tree_util.tree_leaves_with_path(found)
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
    told = ", ".join(f"{count} {what}" for what, count in sorted(done.items()) if count)
    print(f"{args.steps} steps in {time.monotonic() - began:.0f} s, with {told}: the same bits")


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS.parent), str(TESTS)]
    main()
