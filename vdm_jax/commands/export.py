"""Make a folder of a run that others can use: with this library, with jax alone, or by hand.

Without --program: the averaged parameters as safetensors with an index, experiment.json, a model
card with the results and samples. `vdm-jax sample`, `evaluate` and `import` take the folder as they
take a run's. With --program: the whole sampler (captions or labels and a seed in, videos out) or
the denoiser as StableHLO for cpu, cuda and tpu, with the parameters and a script, run.py, that
needs jax and nothing of this library.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath

from vdm_jax import checkpoints, config, sampling, storage
from vdm_jax.checkpoints.tensors import Cast
from vdm_jax.commands import card, options, program, push, sample, saved_model

RESULTS = "evaluations.jsonl"


def arguments(parser: argparse.ArgumentParser) -> None:
    options.run_folder(parser)
    parser.add_argument("--out", required=True, help="the folder to make")
    parser.add_argument("--program", choices=program.KINDS, help="a program instead of weights")
    parser.add_argument(
        "--as", dest="form", choices=program.FORMS, default=program.FORMS[0],
        help="what a --program is written as (default: stablehlo); saved_model needs tensorflow",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32",
        help="of the parameters in the files; they compute as before (default: float32)",
    )  # fmt: skip
    parser.add_argument(
        "--shard", type=float, default=4.0, metavar="GIB", help="size of one file (default: 4)"
    )
    parser.add_argument(
        "--samples", type=int, default=8, help="clips on the card; 0 for none (default: 8)"
    )
    parser.add_argument("--prompt", action="append", help="a caption of the card or the program")
    parser.add_argument("--push", metavar="USER/NAME", help="publish it on the Hugging Face Hub")
    options.overrides(parser, "sampling.guidance=3.0")


def run(args: argparse.Namespace) -> None:
    hub = push.hub() if args.push else None
    if args.program and args.dtype != "float32":
        raise config.ConfigError("--dtype bfloat16 is for weights; a --program has float32 ones")
    if args.form == "saved_model":
        if not args.program:
            raise config.ConfigError("--as saved_model is for programs: add --program sampler")
        saved_model.tensorflow()
    if args.shard <= 0 or args.samples < 0:
        raise config.ConfigError("--shard is a size in GiB, and --samples at least 0")
    experiment = config.override(checkpoints.read_experiment(args.workdir), *args.assignments)
    step, tensors = checkpoints.parameters(args.workdir, args.step)
    checkpoints.check(tensors, sampling.abstract_params(experiment), str(args.workdir))
    with checkpoints.atomic_folder(args.out) as folder:
        if args.program:
            program.write(folder, args.program, experiment, tensors, step, args.prompt or [])
            if args.form == "saved_model":
                program.write_saved_model(folder, args.program)
        else:
            weights(folder, args, experiment, tensors, step)
    print(f"step {step} of {args.workdir} is in {args.out}; {next_step(args)}")
    if hub is not None:
        print(push.push(hub, storage.local_path(args.out), args.push))


def next_step(args: argparse.Namespace) -> str:
    """What one may do with the result."""
    return f"see {args.out}/{'run.py' if args.program else 'README.md'}"


def weights(folder: Path, args: argparse.Namespace, experiment: Any, tensors, step: int) -> None:
    """Writes the weights, and the card from what the weights, read again, make."""
    cast = Cast(tensors, np.dtype(args.dtype))
    checkpoints.write_export(folder, experiment, cast, step, shard=int(args.shard * 2**30))
    results = epath.Path(args.workdir) / RESULTS
    if results.exists():
        storage.copy(results, folder / RESULTS)
    captions: list[str] = []
    if args.samples and experiment.task.lowres is None:
        _, trained = sampling.load(folder)
        wanted = argparse.Namespace(
            prompt=args.prompt, label=None, count=args.samples, workdir=args.workdir
        )
        captions, labels = sample.wanted(wanted, trained)
        cond = trained.encode(captions, labels)
        videos = trained.generate(jax.random.key(0), cond, len(captions))
        sampling.write_png_grid(folder / card.PICTURE, list(videos))
        asked = zip(captions, labels, strict=True)
        captions = [caption or (f"label {n}" if n >= 0 else "") for caption, n in asked]
    text = card.text(Path(args.workdir).name, folder, experiment, cast, step, captions)
    (folder / "README.md").write_text(text)
