"""Results side by side, and beside those of papers.

    vdm-jax compare a.json b.json
    vdm-jax compare a.json --published

Results of different protocols are refused, with what differs between them; --apart gives each
protocol a table of its own. With --published, the papers' numbers for the same task follow, each
marked by whether its protocol is the same, differs, or is not known.
"""

import argparse

from vdm_jax.evaluation import comparison
from vdm_jax.evaluation.result import read_result


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", help="files written by `vdm-jax evaluate`")
    parser.add_argument("--published", action="store_true", help="the numbers of papers as well")
    parser.add_argument("--apart", action="store_true", help="a table for each protocol")


def run(args: argparse.Namespace) -> None:
    results = [read_result(path) for path in args.results]
    if not args.apart:
        comparison.check_comparable(results)
    for group in comparison.groups(results):
        rows = comparison.literature(group[0]) if args.published else ()
        print("\n".join(comparison.table(group, rows)) + "\n")
        for result in group:
            for warning in result.warnings:
                print(f"{result.system}: {warning}")
