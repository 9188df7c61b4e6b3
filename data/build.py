"""Builds a data set: `python -m data.build NAME --source DIR --out datasets`.

Exit status: 0 everything is built; 1 nothing can be built; 2 wrong use of the command; 3 built, but
some of what was found was dropped, or the counts are not the published ones (the report says which
and why).
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("*/*_dataset_builder.py"))


def parser(name: str | None) -> argparse.ArgumentParser:
    """The command's options: those of every data set, and those of `name`."""
    told = argparse.ArgumentParser(
        "python -m data.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told.add_argument("name", choices=NAMES, help="the data set")
    if name in NAMES:
        for option, text in builder(name).OPTIONS.items():
            told.add_argument(f"--{option.replace('_', '-')}", metavar="PATH", help=text)
    told.add_argument("--out", default="datasets", help="where built data sets are (%(default)s)")
    told.add_argument(
        "--remux", action="store_true", help="store the pictures as they are, no sound"
    )
    smaller = told.add_argument_group("a smaller copy, re-encoded as H.264")
    smaller.add_argument("--size", type=int, help="the short side, in pixels")
    smaller.add_argument("--fps", type=float, help="the frame rate, nearest frames")
    smaller.add_argument("--crf", type=int, help="the quality: 0 lossless, 18 looks equal, 28 poor")
    speed = told.add_argument_group("speed")
    speed.add_argument("--jobs", type=int, help="processes; all cores without it")
    speed.add_argument("--beam-runner", help="an Apache Beam runner, such as DirectRunner")
    speed.add_argument("--beam-options", default="", help='its flags, as in "--region=x --y=z"')
    return told


def builder(name: str) -> type:
    """The builder of a data set."""
    return importlib.import_module(f"data.{name}.{name}_dataset_builder").Builder


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("TQDM_DISABLE", "" if sys.stderr.isatty() else "1")
    from data.common import Problem, Recode, Remux  # imports TFDS, which --help need not wait for

    name = next((argument for argument in arguments if argument in NAMES), None)
    told = parser(name)
    given = vars(told.parse_args(arguments))
    kind = builder(given["name"])
    asked = {k: given[k] for k in ("size", "fps", "crf") if given[k] is not None}
    if asked and given["remux"]:
        told.error("--remux encodes nothing anew, and --size, --fps and --crf do: give one of both")
    try:
        build = kind(
            options={option: given[option] for option in kind.OPTIONS},
            copy=Recode(**asked) if asked else Remux() if given["remux"] else None,
            jobs=given["jobs"],
            beam=bool(given["beam_runner"]),
            data_dir=given["out"],
        )
        report = build.build(download_config(given["beam_runner"], given["beam_options"]))
    except Problem as problem:
        print(f"nothing is built: {problem}", file=sys.stderr)
        return 1
    print(report)
    print(f"in {build.data_path}; every name and reason is in its report.json")
    return 0 if report.complete else 3


def download_config(runner: str | None, options: str):
    """How TFDS is to build, with Beam where a runner is named."""
    import tensorflow_datasets as tfds

    if not runner:
        return tfds.download.DownloadConfig(try_download_gcs=False)
    from apache_beam.options.pipeline_options import PipelineOptions

    return tfds.download.DownloadConfig(
        try_download_gcs=False, beam_runner=runner, beam_options=PipelineOptions(options.split())
    )


if __name__ == "__main__":
    raise SystemExit(main())
