"""Train one or several experiments, or resume an interrupted run.

The run's folder, --workdir, holds experiment.json, checkpoints/, metrics.jsonl, evaluations.jsonl
and tensorboard/. Ctrl-C and SIGTERM save a checkpoint before exiting; rerun the same command to
resume, with the same result as an uninterrupted run. Several experiments run one after another,
each in a folder of --workdir that is named after its file; finished ones are skipped.

With several processes, start the same command on every host, with --coordinator, --processes and
--process, or without them on a TPU slice and under srun or mpirun. A signal to one process stops
all at the same step. If one is lost, the others exit; rerun the same commands to resume from the
newest checkpoint.

metrics.jsonl breaks down the time of a step: `seconds.data` waiting for a batch, `seconds.host`
sending it and starting the step, `seconds.device` waiting for the devices. Compiled programs are
cached in ~/.cache/vdm_jax/compiled, or in $VDM_JAX_CACHE.
"""

import argparse

from etils import epath

from vdm_jax import config, parallel, training
from vdm_jax.commands.helpers import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiments", nargs="+", metavar="EXPERIMENT",
        help="an experiment file, e.g. experiments/quickstart.py; or several",
    )  # fmt: skip
    parser.add_argument(
        "--workdir", required=True, help="the folder of the run, local, gs:// or s3://"
    )
    options.add_overrides(parser, "optimizer.peak=1e-4")
    parser.add_argument(
        "--profile", type=int, default=0, metavar="STEPS",
        help="trace STEPS steps for TensorBoard's profile page (XProf), in WORKDIR/tensorboard",
    )  # fmt: skip
    parser.add_argument(
        "--executable", metavar="FILE",
        help="the compiled step of `vdm-jax plan --save`; give only files that you wrote yourself",
    )  # fmt: skip
    group = parser.add_argument_group("with several processes, on one machine or many")
    group.add_argument("--coordinator", metavar="HOST:PORT", help="address of process 0")
    group.add_argument("--processes", type=int, metavar="N", help="the number of processes")
    group.add_argument("--process", type=int, metavar="I", help="this process's number, from 0")
    group.add_argument(
        "--heartbeat-timeout", type=int, default=parallel.Processes.heartbeat_timeout,
        metavar="SECONDS",
        help="exit when another process has been silent for SECONDS (default: %(default)s)",
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
        raise config.ConfigError(
            "two experiment files have the same name, which would be the folder of both: rename one"
        )
    # All are loaded before the first one trains, so that errors in any come at once.
    experiments = {path: training.load(path, args.assignments) for path in args.experiments}
    for path, experiment in experiments.items():
        if len(experiments) > 1 and parallel.is_main_process():
            print(f"{path}: {experiment.steps:,} steps in {folders[path]}")
        training.train(experiment, folders[path], args.profile, args.executable)
        if parallel.is_main_process():
            print(f"done: {folders[path]}; next: vdm-jax sample {folders[path]}")
