"""Evaluate a run as its experiment says, or anyone's samples by a named protocol.

    vdm-jax evaluate runs/quickstart
    vdm-jax evaluate --list
    vdm-jax evaluate --protocol ucf101_styleganv_256 --generated samples --real UCF-101
    vdm-jax evaluate runs/ucf101 --protocol ucf101_vdm_64 --real datasets/ucf101

Without a protocol, a run's own evaluations are computed, printed and appended to its
evaluations.jsonl; for a cascade, an experiment file that names several runs, to evaluations.jsonl
in the folder of these runs.

With a protocol, --generated is a folder of mp4, gif or npy files (uint8 [f h w c] or [b f h w c]),
or of folders of images, each a clip; captions are in a table captions.csv (file,caption) or in a
.txt file beside each clip. Given a run, `evaluate` first generates the samples into
WORKDIR/protocols. An interrupted evaluation resumes, on gs:// and s3:// too. The result is a JSON
file for `vdm-jax compare`.
"""

import argparse
import csv
import json

import jax
import numpy as np
from etils import epath

from vdm_jax import config, storage, training
from vdm_jax.commands.helpers import options, protocol_options
from vdm_jax.commands.helpers.loading import LoadedModel, load_model
from vdm_jax.commands.helpers.protocol_options import real_videos, select_protocol
from vdm_jax.protocols import (
    PROTOCOLS,
    collect,
    comparison,
    generate,
    measure,
    prompts_of,
    protocol_hash,
    statistics_folder,
)
from vdm_jax.protocols.result import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_workdir(parser, nargs="?")
    parser.add_argument("--protocol", help="one evaluation of the run, or a protocol of --list")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    group = parser.add_argument_group("with a protocol")
    group.add_argument("--list", action="store_true", help="list the protocols")
    group.add_argument("--generated", metavar="DIR", help="samples of any model")
    protocol_options.add_real_videos(group)
    protocol_options.add_random_weights(group)
    group.add_argument(
        "--out", metavar="FILE", help="the result (default: NAME.json, or in WORKDIR)"
    )
    group.add_argument("--system", help="name of the model in tables (default: the folder's name)")
    group.add_argument(
        "--write-prompts", metavar="FILE",
        help="only write the caption and label of every sample, as CSV",
    )  # fmt: skip
    group.add_argument(
        "--write-real", metavar="DIR", help="only write the real clips, preprocessed"
    )
    options.add_overrides(parser, "sampling.sampler.steps=16, or protocol.generated.count=512")


def run(args: argparse.Namespace) -> None:
    if args.list:
        print_protocols()
    elif args.write_prompts or args.write_real:
        write_inputs(args)
    elif args.generated:
        measure_files(args)
    elif args.workdir is None:
        raise config.ConfigError("give the folder of a run, or --generated DIR (or --list)")
    else:
        evaluate(args)


def evaluate(args: argparse.Namespace) -> None:
    """Runs the evaluations of a run's experiment, or measures its samples by a protocol."""
    for_protocol = [a for a in args.assignments if a.startswith(protocol_options.PREFIX)]
    for_run = [a for a in args.assignments if a not in for_protocol]
    loaded = load_model(args.workdir, args.step, for_run)
    own = {e.name: e for e in loaded.evaluations}
    if args.protocol is not None and args.protocol not in own:
        if args.protocol in PROTOCOLS:
            measure_run(args, loaded, for_run)
            return
        raise config.ConfigError(
            f"{args.workdir} has no evaluation {args.protocol!r}, and there is no such protocol; "
            f"{config.nearest(args.protocol, [*own, *PROTOCOLS])}"
        )
    if for_protocol:
        raise config.ConfigError(f"--set {for_protocol[0]} needs a --protocol of --list")
    selected = own if args.protocol is None else {args.protocol: own[args.protocol]}
    if not selected:
        raise config.ConfigError(f"the experiment of {args.workdir} has no evaluations")
    for name, evaluation in selected.items():
        print(f"evaluating {name} at step {loaded.step}")
        results = {name: dict(evaluation(jax.random.key(args.seed), loaded.model))}
        for path, value in training.flatten(results):
            print(f"  {path:<32} {value:.4g}")
        record = {"step": loaded.step, **results, "seed": args.seed}
        if args.assignments:
            record["set"] = args.assignments
        storage.append(loaded.folder / "evaluations.jsonl", json.dumps(record) + "\n")


def print_protocols() -> None:
    """Prints all protocols by task."""
    for task in dict.fromkeys(p.task for p in PROTOCOLS.values()):
        print(f"{task}")
        for protocol in (p for p in PROTOCOLS.values() if p.task == task):
            metrics = ", ".join(measure.name for measure in protocol.measures)
            print(f"  {protocol.name}\n      {protocol.summary} [{metrics}]")
            print(f"      {protocol.source}. {protocol.assumed}".rstrip())


def write_inputs(args: argparse.Namespace) -> None:
    """Writes the prompts or the real clips of a protocol, for models that run elsewhere."""
    protocol, _ = select_protocol(args)
    real = real_videos(args, protocol)
    if args.write_prompts:
        prompts = prompts_of(protocol, real)
        with storage.atomic_file(args.write_prompts) as partial, partial.open("w") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("sample", "caption", "label", "real"))
            rows.writerows((f"{i:05d}", *prompt) for i, prompt in enumerate(prompts))
        print(f"{args.write_prompts} has the prompts of {len(prompts)} samples of {protocol.name}")
    if args.write_real:
        if real is None:
            raise config.ConfigError("--write-real needs --real DIR")
        clips = (protocol.generated.source or protocol.real).clips(real)
        with storage.output_dir(args.write_real) as out:
            for index in range(len(clips)):
                np.save(out / f"{index:05d}.npy", clips[index]["video"], allow_pickle=False)
        for warning in clips.warnings():
            print(f"warning: {warning}")
        print(f"{args.write_real} has {len(clips)} real clips of {protocol.name}, uint8 [f h w c]")


def measure_files(args: argparse.Namespace) -> None:
    """Measures the samples in a folder."""
    if args.workdir is not None:
        raise config.ConfigError("give the folder of a run or --generated DIR, not both")
    protocol, changed = select_protocol(args)
    real = real_videos(args, protocol)
    with storage.temporary_copy(args.generated) as here:
        clips = protocol.generated.clips(collect(here), protocol.samples)
        result = measure(
            protocol, args.system or here.resolve().name, clips, real,
            changed=changed, inputs={"generated": args.generated, "real": args.real},
        )  # fmt: skip
    write_result(result, epath.Path(args.out or f"{protocol.name}.json"))


def measure_run(args: argparse.Namespace, loaded: LoadedModel, assignments: list[str]) -> None:
    """Generates a run's samples for a protocol into its folder, and measures them."""
    protocol, changed = select_protocol(args)
    real = real_videos(args, protocol)
    home, step = loaded.folder, loaded.step
    folder = home / "protocols" / f"{protocol.name}-{protocol_hash(protocol)}" / f"step-{step}"
    record = {"step": step, "seed": args.seed, "set": assignments}
    samples = generate(
        loaded.model, jax.random.key(args.seed), protocol, real, folder / "samples", record
    )
    inputs = {"run": args.workdir, **record, "generated": str(samples), "real": args.real}
    with storage.temporary_copy(samples) as here:
        clips = protocol.generated.clips(collect(here), protocol.samples)
        result = measure(
            protocol, args.system or f"{home.resolve().name} step {step}", clips, real,
            statistics_folder(home), changed=changed, inputs=inputs,
        )  # fmt: skip
    write_result(result, epath.Path(args.out or folder / "result.json"))


def write_result(result: Result, path: epath.Path) -> None:
    """Writes a result and prints it as a table."""
    result.write(path)
    for warning in result.warnings:
        print(f"warning: {warning}")
    print("\n".join(comparison.table([result])))
    print(f"the result is in {path}")
