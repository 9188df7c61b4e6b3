"""What `evaluate` does by a protocol: of files, of a run, and before there are any samples."""

import argparse
import csv
from typing import Any

import jax
import numpy as np
from etils import epath

from vdm_jax import config, storage
from vdm_jax.checkpoints import atomic_file
from vdm_jax.evaluation import comparison
from vdm_jax.evaluation.protocols import (
    PROTOCOLS,
    Collection,
    Protocol,
    collect,
    generate,
    identity,
    measure,
    prompts_of,
    protocol_hash,
    read_captions,
    read_list,
    statistics_folder,
)
from vdm_jax.evaluation.result import Result

PREFIX = "protocol."


def arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("by a protocol of the library")
    group.add_argument("--list", action="store_true", help="the protocols there are")
    group.add_argument("--generated", metavar="DIR", help="samples of any model")
    real_arguments(group)
    random_weights(group)
    group.add_argument(
        "--out", metavar="FILE", help="the result (default: NAME.json, or in WORKDIR)"
    )
    group.add_argument("--system", help="whose samples they are (default: the folder's name)")
    group.add_argument(
        "--prompts", metavar="FILE", help="only write what samples are asked to be, as CSV"
    )
    group.add_argument(
        "--write-real", metavar="DIR", help="only write the real clips, as the protocol sees them"
    )


def real_arguments(group: Any) -> None:
    """Where real videos are, and which of them."""
    group.add_argument("--real", metavar="DIR", help="real videos, or a data set built from them")
    group.add_argument("--split", help="of a built data set (default: the protocol's)")
    group.add_argument(
        "--only", metavar="FILE", help="a list of which real videos, e.g. trainlist01.txt"
    )
    group.add_argument(
        "--captions", metavar="FILE",
        help="captions of real videos: MSR-VTT's JSON, 1k-A's CSV, or a CSV with file,caption",
    )  # fmt: skip


def random_weights(group: Any) -> None:
    """To try a protocol without any weights."""
    group.add_argument(
        "--random-weights", metavar="SEED", type=int, nargs="?", const=0,
        help="try it without any weights: the numbers say nothing, and are marked so",
    )  # fmt: skip


def names() -> list[str]:
    """Of all protocols."""
    return list(PROTOCOLS)


def exists(name: str) -> bool:
    """Whether the library has a protocol of this name."""
    return name in PROTOCOLS


def show() -> None:
    """All protocols by task."""
    for task in dict.fromkeys(p.task for p in PROTOCOLS.values()):
        print(f"{task}")
        for protocol in (p for p in PROTOCOLS.values() if p.task == task):
            metrics = ", ".join(measure.name for measure in protocol.measures)
            print(f"  {protocol.name}\n      {protocol.says} [{metrics}]")
            print(f"      {protocol.source}. {protocol.assumed}".rstrip())


def chosen(args: argparse.Namespace) -> tuple[Protocol, list[str]]:
    """The protocol that is asked for, and in what it is not what its name says."""
    if args.protocol is None:
        raise config.ConfigError("say by which --protocol (--list names them)")
    if args.protocol not in PROTOCOLS:
        raise config.ConfigError(
            f"no protocol {args.protocol!r}; {config.nearest(args.protocol, PROTOCOLS)}"
        )
    named = PROTOCOLS[args.protocol]
    for assignment in args.assignments:
        if not assignment.startswith(PREFIX) and args.workdir is None:
            raise config.ConfigError(f"--set {assignment}: here fields begin with {PREFIX}")
    protocol = config.override(
        named, *(a[len(PREFIX) :] for a in args.assignments if a.startswith(PREFIX))
    )
    if args.random_weights is not None:
        protocol = protocol.untrained(args.random_weights)
    return protocol, config.differences(identity(protocol), identity(named))


def real_videos(args: argparse.Namespace, protocol: Protocol) -> Collection | None:
    """The real videos that are named, if any."""
    if not args.real:
        return None
    found = collect(storage.cached_copy(args.real), args.split or protocol.real.split)
    if args.only:
        found = found.only(read_list(args.only), args.only)
    if args.captions:
        found = found.told(read_captions(args.captions))
    return found


def prepare(args: argparse.Namespace) -> None:
    """Writes the prompts or the real clips of a protocol, for models that are run elsewhere."""
    protocol, _ = chosen(args)
    real = real_videos(args, protocol)
    if args.prompts:
        asks = prompts_of(protocol, real)
        with atomic_file(args.prompts) as partial, partial.open("w") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("sample", "caption", "label", "real"))
            rows.writerows((f"{i:05d}", *ask) for i, ask in enumerate(asks))
        print(f"{len(asks)} samples of {protocol.name} are asked for in {args.prompts}")
    if args.write_real:
        if real is None:
            raise config.ConfigError("--write-real needs --real DIR")
        clips = (protocol.generated.source or protocol.real).clips(real)
        with storage.output_dir(args.write_real) as out:
            for place in range(len(clips)):
                np.save(out / f"{place:05d}.npy", clips[place]["video"], allow_pickle=False)
        for warning in clips.warnings():
            print(f"warning: {warning}")
        print(
            f"{len(clips)} real clips of {protocol.name} in {args.write_real}, as uint8 [f h w c]"
        )


def measure_files(args: argparse.Namespace) -> None:
    """Measures samples in files."""
    if args.workdir is not None:
        raise config.ConfigError("give the folder of a run or --generated DIR, not both")
    protocol, changed = chosen(args)
    real = real_videos(args, protocol)
    with storage.temporary_copy(args.generated) as here:
        made = protocol.generated.clips(collect(here), protocol.samples)
        result = measure(
            protocol, args.system or here.resolve().name, made, real,
            changed=changed, inputs={"generated": args.generated, "real": args.real},
        )  # fmt: skip
    finish(result, epath.Path(args.out or f"{protocol.name}.json"))


def measure_run(
    args: argparse.Namespace, subject: Any, step: int, home: epath.Path, assignments: list[str]
) -> None:
    """Makes a run's samples for a protocol, keeps them in its folder `home`, and measures them."""
    protocol, changed = chosen(args)
    real = real_videos(args, protocol)
    folder = home / "protocols" / f"{protocol.name}-{protocol_hash(protocol)}" / f"step-{step}"
    record = {"step": step, "seed": args.seed, "set": assignments}
    samples = generate(
        subject, jax.random.key(args.seed), protocol, real, folder / "samples", record
    )
    inputs = {"run": args.workdir, **record, "generated": str(samples), "real": args.real}
    with storage.temporary_copy(samples) as here:
        made = protocol.generated.clips(collect(here), protocol.samples)
        result = measure(
            protocol, args.system or f"{home.resolve().name} step {step}", made, real,
            statistics_folder(home), changed=changed, inputs=inputs,
        )  # fmt: skip
    finish(result, epath.Path(args.out or folder / "result.json"))


def finish(result: Result, path: epath.Path) -> None:
    """Writes a result, and says what is in it."""
    result.write(path)
    for warning in result.warnings:
        print(f"warning: {warning}")
    print("\n".join(comparison.table([result])))
    print(f"the result is in {path}")
