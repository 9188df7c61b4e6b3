"""Make a run of an export, without the run that it came from.

The folder is sampled and measured as any run is. `vdm-jax train EXPERIMENT --workdir WORKDIR` goes
on from its parameters: they become the trained and the averaged ones, and the optimizer and the
count of steps begin anew. EXPERIMENT may differ from the one that made them in all but the network.
A distillation takes them for its first teacher; the same distillation goes on at the step that they
are of, in the halving where that is.
"""

import argparse

from etils import epath

from vdm_jax import checkpoints, sampling
from vdm_jax.checkpoints.exports import INITIAL


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="what `vdm-jax export` made")
    parser.add_argument("--workdir", required=True, help="the folder of the new run")


def run(args: argparse.Namespace) -> None:
    experiment = checkpoints.read_experiment(args.folder)
    step, tensors = checkpoints.parameters(args.folder)
    checkpoints.check(tensors, sampling.abstract_params(experiment), str(args.folder))
    workdir = epath.Path(args.workdir)
    if workdir.exists() and any(workdir.iterdir()):
        raise checkpoints.CheckpointError(f"{workdir} is not empty; name another --workdir")
    with checkpoints.atomic_folder(workdir) as folder:
        (folder / INITIAL).mkdir()
        checkpoints.write_export(folder / INITIAL, experiment, tensors, step)
        checkpoints.write_experiment(folder, experiment)
    print(
        f"step {step} of {args.folder} is in {workdir}: sample or evaluate it, or train on from it "
        "(the averaged parameters become the trained ones; the optimizer begins anew)"
    )
