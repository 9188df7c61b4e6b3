"""Export a run as a folder that others can use: with vdm_jax, with jax alone, or by hand.

Without --program: the averaged parameters as safetensors with an index, experiment.json, and a
model card with results and samples. Every command that takes a run also takes this folder. With
--program: the sampler (captions or labels and a seed in, videos out) or the denoiser as StableHLO
for cpu, cuda and tpu, with the parameters and a script, run.py, that needs jax but not vdm_jax.
"""

import argparse
import json
from pathlib import Path

import jax
import numpy as np
from etils import epath

from vdm_jax import checkpoints, config, sampling, storage, training
from vdm_jax.checkpoints import hub
from vdm_jax.checkpoints.tensors import CastTensors, Tensors
from vdm_jax.commands.helpers import options
from vdm_jax.commands.helpers.conditions import captions_and_labels
from vdm_jax.sampling.export import model_card, program_folder, saved_model

RESULTS = "evaluations.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_workdir(parser, cascade=False)
    parser.add_argument("--out", required=True, help="the folder of the export")
    parser.add_argument(
        "--program", choices=program_folder.PROGRAMS, help="export a program instead of weights"
    )
    parser.add_argument(
        "--format", choices=program_folder.FORMATS, default=program_folder.FORMATS[0],
        help="file format of the --program (default: stablehlo); saved_model needs tensorflow",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32",
        help="type of the parameters in files, which are loaded as float32 (default: float32)",
    )  # fmt: skip
    parser.add_argument(
        "--shard",
        type=float,
        default=4.0,
        metavar="GIB",
        help="largest file size in GiB (default: 4)",
    )
    parser.add_argument(
        "--samples", type=int, default=8, help="clips on the card; 0: none (default: 8)"
    )
    parser.add_argument(
        "--prompt", action="append", help="a caption for the card or the program; may be repeated"
    )
    parser.add_argument("--push", metavar="USER/NAME", help="upload to the Hugging Face Hub")
    options.add_overrides(parser, "sampling.guidance=3.0")


def run(args: argparse.Namespace) -> None:
    package = hub.import_hub() if args.push else None
    if args.program and args.dtype != "float32":
        raise config.ConfigError("--dtype bfloat16 is for weights; a --program has float32 ones")
    if args.format == "saved_model":
        if not args.program:
            raise config.ConfigError("--format saved_model is for programs: add --program sampler")
        saved_model.import_tensorflow()
    if args.shard <= 0 or args.samples < 0:
        raise config.ConfigError("--shard is a size in GiB, and --samples at least 0")
    experiment = config.override(checkpoints.read_experiment(args.workdir), *args.assignments)
    step, tensors = checkpoints.parameters(args.workdir, args.step)
    checkpoints.check_tensors(tensors, sampling.abstract_params(experiment), str(args.workdir))
    with checkpoints.atomic_folder(args.out) as folder:
        if args.program:
            program_folder.write_program(
                folder, args.program, experiment, tensors, step, args.prompt or ()
            )
            if args.format == "saved_model":
                program_folder.add_saved_model(folder, args.program)
        else:
            write_weights(folder, args, experiment, tensors, step)
    readme = "run.py" if args.program else "README.md"
    print(f"step {step} of {args.workdir} is in {args.out}; see {args.out}/{readme}")
    if package is not None:
        address = hub.upload(package, storage.local_path(args.out), args.push)
        print(f"published as {address}")


def write_weights(
    folder: Path,
    args: argparse.Namespace,
    experiment: training.Experiment,
    tensors: Tensors,
    step: int,
) -> None:
    """Writes the weights, and the card with samples of these weights, read back."""
    cast = CastTensors(tensors, np.dtype(args.dtype))
    checkpoints.write_export(folder, experiment, cast, step, shard_bytes=int(args.shard * 2**30))
    results = epath.Path(args.workdir) / RESULTS
    if results.exists():
        storage.copy(results, folder / RESULTS)
    captions: list[str] = []
    if args.samples and sampling.lowres_of(experiment) is None:
        captions = write_samples(folder, args)
    text = model_card.card_text(
        Path(args.workdir).name, experiment, cast, step, captions, newest_results(folder / RESULTS)
    )
    (folder / "README.md").write_text(text)


def write_samples(folder: Path, args: argparse.Namespace) -> list[str]:
    """Writes the card's image from the exported weights; returns the caption of each row."""
    _, model = sampling.load(folder)
    if args.prompt and model.experiment.loader.text is None:
        raise config.ConfigError(f"the model of {args.workdir} was trained without captions")
    captions, labels = captions_and_labels(
        args.prompt, None, args.samples, held_out=model.data, default_count=args.samples
    )
    cond = model.encode(captions, labels)
    videos = model.generate(jax.random.key(0), cond, len(captions))
    sampling.write_png_grid(folder / model_card.IMAGE, list(videos))
    pairs = zip(captions, labels, strict=True)
    return [caption or (f"label {label}" if label >= 0 else "") for caption, label in pairs]


def newest_results(file: Path) -> dict[str, tuple[float, int]]:
    """(value, step) of the newest record of each measurement, by its dotted name."""
    newest: dict[str, tuple[float, int]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        record = json.loads(line)
        groups = {name: value for name, value in record.items() if isinstance(value, dict)}
        newest |= {name: (value, record["step"]) for name, value in training.flatten(groups)}
    return newest
