"""Print a distillation run's table: the student and the undistilled samplers by number of steps.

    python tests/benchmarks/step_table.py RUN

Reads RUN/evaluations.jsonl, where the evaluation `FewSteps` writes at the end of every halving.
"""

import argparse
import json
from pathlib import Path

from vdm_jax import evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the --workdir of a distillation")
    args = parser.parse_args()
    lines = (args.run / "evaluations.jsonl").read_text().splitlines()
    print("\n".join(evaluation.step_table([json.loads(line) for line in lines])))


if __name__ == "__main__":
    main()
