"""Start a run from an export, without the run that was exported.

The new run can be sampled and evaluated at once. `vdm-jax train EXPERIMENT --workdir WORKDIR`
trains on from the exported parameters: they become the trained and the averaged ones, with a new
optimizer state, at step 0. EXPERIMENT may differ from the exported one in all but the network. A
distillation takes the parameters as its first teacher; the same distillation resumes in the phase
that the export is from.
"""

import argparse

from etils import epath

from vdm_jax import checkpoints, sampling
from vdm_jax.checkpoints.exports import INITIAL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="an export of `vdm-jax export`")
    parser.add_argument("--workdir", required=True, help="the folder of the new run")


def run(args: argparse.Namespace) -> None:
    experiment = checkpoints.read_experiment(args.folder)
    step, tensors = checkpoints.parameters(args.folder)
    checkpoints.check_tensors(tensors, sampling.abstract_params(experiment), str(args.folder))
    workdir = epath.Path(args.workdir)
    if workdir.exists() and any(workdir.iterdir()):
        raise checkpoints.CheckpointError(f"{workdir} is not empty; name another --workdir")
    with checkpoints.atomic_folder(workdir) as folder:
        (folder / INITIAL).mkdir()
        checkpoints.write_export(folder / INITIAL, experiment, tensors, step)
        checkpoints.write_experiment(folder, experiment)
    print(
        f"step {step} of {args.folder} is in {workdir}: sample, evaluate or train it (training "
        "starts from the averaged parameters with a new optimizer state)"
    )
