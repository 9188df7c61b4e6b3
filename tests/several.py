"""Runs of `vdm-jax train` as one process or several, on this machine, eight devices in all."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jaxlib.version

TESTS = Path(__file__).parent
DEVICES = 8

# Tests compile much and run little. Without LLVM's dear passes half of that time goes, and without
# the emitters that write fusions in MLIR half of the rest; jaxlib 0.11 has no others, and ends the
# process at the flag. Parts of a program are compiled side by side, and dividing it takes a sixth.
# Of a training step, sums in parts take a quarter and copies of what is overwritten a fifth.
QUICK = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_parallel_codegen_split_count=1 --xla_disable_hlo_passes=tree_reduction_rewriter"
    " --xla_cpu_copy_insertion_use_region_analysis=true"
)
if jaxlib.version.__version_info__ < (0, 11):
    QUICK += " --xla_cpu_use_fusion_emitters=false"
FAST = {"xla_backend_optimization_level": 1}  # for a program that runs longer than it compiles


def port() -> int:
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def start(processes: int, *arguments: object) -> list[subprocess.Popen]:
    """`vdm-jax train` with the arguments, as so many processes that share the devices."""
    count = DEVICES // processes
    path = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    flags = f"--xla_force_host_platform_device_count={count} {QUICK}"
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    where = ["--coordinator", f"localhost:{port()}", "--processes", str(processes)]
    patient = ["--heartbeat-timeout", "300"]  # tests may be many on a machine, and none is lost
    command = [sys.executable, "-m", "vdm_jax", "train", *patient, *map(str, arguments)]
    each = [[*where, "--process", str(n)] if processes > 1 else [] for n in range(processes)]
    kept: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return [
        subprocess.Popen([*command, *more], env=environment, cwd=TESTS.parent, **kept)
        for more in each
    ]


def end(runs: list[subprocess.Popen], status: int = 0) -> list[str]:
    """What the processes said, when they have ended with this status."""
    told = [run.communicate(timeout=900)[0] for run in runs]
    assert [run.returncode for run in runs] == [status] * len(runs), "\n".join(told)
    return told


def logs(workdir: Path, processes: int) -> list[Path]:
    """The metrics of each process."""
    folders = [workdir, *(workdir / "processes" / str(n) for n in range(1, processes))]
    return [folder / "metrics.jsonl" for folder in folders]


def stopped(told: str) -> int:
    """The step at which a run says that it was stopped."""
    found = re.search(r"stopped by SIGTERM at step (\d+); checkpoint saved", told)
    assert found, told
    return int(found[1])
