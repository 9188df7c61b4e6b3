"""Train experiments one after another, or go on with a run that was stopped.

The run lives in --workdir: experiment.json (what it is), checkpoints/, metrics.jsonl,
evaluations.jsonl and tensorboard/. Ctrl-C or SIGTERM saves before it stops; the same command goes
on from there, and ends with the same numbers as if it had never stopped. Of several experiments
each has a folder in --workdir, called as its file; those that are done are not run again.

On several machines give the same command to each, with --coordinator, --processes and --process,
or without them on a TPU slice and under srun or mpirun. A signal to one of them stops all. If one
is lost, the others end, and the same commands go on from the newest checkpoint.

metrics.jsonl says where the time of a step goes: `seconds.data` waiting for a batch, `seconds.host`
sending it and starting the step, `seconds.device` waiting for the devices. What was compiled is
kept in ~/.cache/vdm_jax/compiled, or where VDM_JAX_CACHE says.
"""

import argparse

from etils import epath

from vdm_jax import config, parallel, training
from vdm_jax.commands import options


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiments", nargs="+", metavar="EXPERIMENT",
        help="an experiment file, e.g. experiments/quickstart.py; or several",
    )  # fmt: skip
    parser.add_argument(
        "--workdir", required=True, help="the folder of the run, or gs:// or s3://; made if needed"
    )
    options.overrides(parser, "optimizer.peak=1e-4")
    parser.add_argument(
        "--profile", type=int, default=0, metavar="STEPS",
        help="trace so many steps for TensorBoard's profile page (XProf), in WORKDIR/tensorboard",
    )  # fmt: skip
    parser.add_argument(
        "--executable", metavar="FILE",
        help="the compiled step, of `vdm-jax plan --save`: only of files that you have written",
    )  # fmt: skip
    several = parser.add_argument_group("several processes, on one machine or many")
    several.add_argument("--coordinator", metavar="HOST:PORT", help="where the first of them is")
    several.add_argument("--processes", type=int, metavar="N", help="how many there are")
    several.add_argument("--process", type=int, metavar="I", help="which this is, from 0")
    several.add_argument(
        "--lost-after", type=int, default=parallel.Processes.heartbeat_timeout, metavar="SECONDS",
        help="a process that is silent for so long is lost, and the others end (%(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    parallel.Processes(
        args.coordinator, args.processes, args.process, args.heartbeat_timeout
    ).start()
    workdir = epath.Path(args.workdir)
    folders = dict.fromkeys(args.experiments, workdir)
    if len(args.experiments) > 1:
        folders = {path: workdir / epath.Path(path).stem for path in args.experiments}
    if len(set(folders.values())) < len(args.experiments):
        raise config.ConfigError("each experiment has a folder called as its file: names differ")
    # All are read before the first is run: errors come at once.
    runs = {path: training.load(path, args.assignments) for path in args.experiments}
    for path, experiment in runs.items():
        if len(runs) > 1 and parallel.is_main_process():
            print(f"{path}: {experiment.steps:,} steps in {folders[path]}")
        training.train(experiment, folders[path], args.profile, args.executable)
        if parallel.is_main_process():
            print(f"done: {folders[path]}; next: vdm-jax sample {folders[path]}")
