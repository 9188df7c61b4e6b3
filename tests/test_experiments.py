"""Every experiment file: it loads, says what it is as JSON, and its shapes fit together.

The golden JSON makes a change of meaning a visible diff. To accept one:
    REGENERATE=1 pytest tests/test_experiments.py
"""

import json
import os
from functools import partial
from pathlib import Path

import jax
import pytest

from vdm_jax import config, training

ROOT = Path(__file__).parents[1]
CASCADES = sorted((ROOT / "experiments").rglob("*cascade.py"))
FILES = sorted(set((ROOT / "experiments").rglob("*.py")) - set(CASCADES))
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_experiment(path):
    experiment = training.load(path)
    tree = config.to_json(experiment)
    again = config.from_json(json.loads(json.dumps(tree)))
    assert again == experiment

    batch = experiment.loader.shapes(experiment.data)
    init = partial(training.init, experiment.task, experiment.optimizer)
    state, frozen = jax.eval_shape(init, jax.random.key(0), batch)
    step = training.make_step(experiment.task, experiment.optimizer, experiment.steps)
    after, _ = jax.eval_shape(step, state, frozen, batch)
    assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, state)
    parameters = sum(x.size for x in jax.tree.leaves(state.params))

    golden = GOLDEN / path.relative_to(ROOT / "experiments").with_suffix(".json")
    found = {"parameters": parameters, "experiment": tree}
    if os.environ.get("REGENERATE"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(golden.read_text()) == found, f"{path.name} means something else now"


@pytest.mark.parametrize("path", CASCADES, ids=lambda p: p.stem)
def test_cascade(path):
    """It loads, says what it is as JSON, and its runs are those of experiments beside it."""
    cascade = config.load(path, ("cascade",))
    assert config.from_json(json.loads(json.dumps(config.to_json(cascade)))) == cascade
    known = {p.stem for p in FILES if path.parent in p.parents}
    assert {stage.name for stage in cascade.stages} <= known


def test_golden_files_have_experiments():
    stems = {p.relative_to(ROOT / "experiments").with_suffix("") for p in FILES}
    assert {p.relative_to(GOLDEN).with_suffix("") for p in GOLDEN.rglob("*.json")} == stems
