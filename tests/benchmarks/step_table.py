"""Prints a distillation run's table: student and undistilled samplers by number of steps.

    python tests/benchmarks/step_table.py RUN

Reads RUN/evaluations.jsonl, to which the evaluation `FewSteps` writes after every halving.
"""

import argparse
import json
from pathlib import Path

from vdm_jax import evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the --workdir of a distillation run")
    args = parser.parse_args()
    lines = (args.run / "evaluations.jsonl").read_text().splitlines()
    print("\n".join(evaluation.step_table([json.loads(line) for line in lines])))


if __name__ == "__main__":
    main()
