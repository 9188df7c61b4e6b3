"""Builds a data set: `python -m data.build NAME --source DIR --out datasets`.

Exit status: 0 everything is built; 1 nothing can be built; 2 wrong use of the command; 3 built, but
some clips are dropped or the counts differ from the published ones (the report gives names and
reasons).
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("*/*_dataset_builder.py"))


def make_parser(name: str | None) -> argparse.ArgumentParser:
    """The command's options: those of every data set, and those of `name`."""
    parser = argparse.ArgumentParser(
        "python -m data.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, help="the data set")
    if name in NAMES:
        for option, text in builder_class(name).OPTIONS.items():
            parser.add_argument(f"--{option.replace('_', '-')}", metavar="PATH", help=text)
    parser.add_argument("--out", default="datasets", help="output folder (%(default)s)")
    parser.add_argument(
        "--remux", action="store_true", help="copy the video streams without sound or re-encoding"
    )
    smaller = parser.add_argument_group("a smaller copy, re-encoded as H.264")
    smaller.add_argument("--size", type=int, help="short side in pixels")
    smaller.add_argument("--fps", type=float, help="frame rate; the nearest frames are taken")
    smaller.add_argument(
        "--crf", type=int, help="quality: 0 lossless, 18 visually lossless, 28 poor"
    )
    speed = parser.add_argument_group("speed")
    speed.add_argument("--jobs", type=int, help="number of processes (default: all cores)")
    speed.add_argument("--beam-runner", help="an Apache Beam runner, such as DirectRunner")
    speed.add_argument("--beam-options", default="", help='its flags, as in "--region=x --y=z"')
    return parser


def builder_class(name: str) -> type:
    """The builder of a data set."""
    return importlib.import_module(f"data.{name}.{name}_dataset_builder").Builder


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("TQDM_DISABLE", "" if sys.stderr.isatty() else "1")
    from data.common import BuildError, Recode, Remux  # imports TFDS, which --help does not need

    name = next((argument for argument in arguments if argument in NAMES), None)
    parser = make_parser(name)
    values = vars(parser.parse_args(arguments))
    builder = builder_class(values["name"])
    encoding = {k: values[k] for k in ("size", "fps", "crf") if values[k] is not None}
    if encoding and values["remux"]:
        parser.error("--remux copies streams, --size, --fps and --crf re-encode: drop one of them")
    try:
        build = builder(
            options={option: values[option] for option in builder.OPTIONS},
            transcoder=Recode(**encoding) if encoding else Remux() if values["remux"] else None,
            jobs=values["jobs"],
            beam=bool(values["beam_runner"]),
            data_dir=values["out"],
        )
        report = build.build(download_config(values["beam_runner"], values["beam_options"]))
    except BuildError as error:
        print(f"nothing is built: {error}", file=sys.stderr)
        return 1
    print(report)
    print(f"in {build.data_path}; report.json there has every name and reason")
    return 0 if report.complete else 3


def download_config(runner: str | None, options: str):
    """The settings of TFDS; with a `runner`, those of Apache Beam too."""
    import tensorflow_datasets as tfds

    if not runner:
        return tfds.download.DownloadConfig(try_download_gcs=False)
    from apache_beam.options.pipeline_options import PipelineOptions

    return tfds.download.DownloadConfig(
        try_download_gcs=False, beam_runner=runner, beam_options=PipelineOptions(options.split())
    )


if __name__ == "__main__":
    raise SystemExit(main())
