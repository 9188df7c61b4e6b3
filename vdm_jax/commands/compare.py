"""Compare results with one another and with published numbers.

    vdm-jax compare a.json b.json
    vdm-jax compare a.json --published

Results of different protocols are an error that lists the differences; --separate prints a table
for each protocol instead. --published adds the papers' numbers for the same task, each marked: the
same protocol, another protocol, or an unknown one.
"""

import argparse

from vdm_jax.protocols import comparison
from vdm_jax.protocols.result import read_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", help="files written by `vdm-jax evaluate`")
    parser.add_argument("--published", action="store_true", help="add published numbers")
    parser.add_argument("--separate", action="store_true", help="a table for each protocol")


def run(args: argparse.Namespace) -> None:
    results = [read_result(path) for path in args.results]
    if not args.separate:
        comparison.check_comparable(results)
    for group in comparison.groups(results):
        rows = comparison.literature(group[0]) if args.published else ()
        print("\n".join(comparison.table(group, rows)) + "\n")
        for result in group:
            for warning in result.warnings:
                print(f"{result.system}: {warning}")
