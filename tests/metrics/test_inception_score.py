"""Known answers of the inception score, in every published variant."""

import csv
from pathlib import Path

import numpy as np
import pytest

from vdm_jax.metrics import inception_score
from vdm_jax.metrics.inception_score import MAGVIT, STYLEGAN_V, TGAN, TGANV2, probabilities

ALL = (TGAN, TGANV2, STYLEGAN_V, MAGVIT)
ONE_HOT = np.eye(101)


@pytest.mark.parametrize("score", ALL)
def test_uniform_predictions_score_1(score):
    assert score(np.full((200, 101), 1 / 101))[0] == pytest.approx(1, abs=1e-6)


def test_certain_predictions_of_every_class_score_their_number():
    assert MAGVIT(ONE_HOT) == (pytest.approx(101), 0)
    assert TGANV2(ONE_HOT)[0] == pytest.approx(101)
    assert TGAN(ONE_HOT)[0] == pytest.approx(100.99899, abs=1e-5)


def test_predictions_with_probability_0_9():
    p = np.full((101, 101), 0.1 / 100) + np.eye(101) * (0.9 - 0.1 / 100)
    assert MAGVIT(p)[0] == pytest.approx(46.04045769, abs=1e-8)


def test_classes_of_different_frequency():
    assert MAGVIT(np.eye(2)[[0, 0, 0, 1]])[0] == pytest.approx(1.75476535, abs=1e-8)


def test_certain_predictions_with_the_class_frequencies_of_ucf101(real_clips):
    table = Path(real_clips).parents[1] / "spec" / "ucf101_classes.tsv"
    rows = list(csv.DictReader(table.open(), delimiter="\t"))
    counts = [int(row["n_total"]) for row in rows]
    p = np.repeat(np.eye(len(counts)), counts, axis=0)
    assert len(p) == 13_320
    assert MAGVIT(p)[0] == pytest.approx(100.04044, abs=1e-5)


def test_the_score_is_at_most_the_number_of_clips_per_split():
    mean, deviation = STYLEGAN_V(ONE_HOT[:100])
    assert mean == pytest.approx(10) and deviation == pytest.approx(0, abs=1e-9)
    assert inception_score.InceptionScore(splits=2)(np.tile(ONE_HOT, (2, 1)))[0] == pytest.approx(
        101
    )


def test_shuffling_spreads_sorted_classes_over_the_splits():
    p = np.repeat(np.eye(10), 200, axis=0)
    in_order = inception_score.InceptionScore(splits=10)(p)[0]
    assert in_order == pytest.approx(1)
    assert STYLEGAN_V(p)[0] == pytest.approx(10, rel=0.05)


def test_logits_become_probabilities_without_overflow():
    p = probabilities(np.array([[1e4, 0.0], [0.0, np.log(3)]]))
    np.testing.assert_allclose(p, [[1, 0], [0.25, 0.75]], atol=1e-12)
    assert MAGVIT(probabilities(1e3 * ONE_HOT))[0] == pytest.approx(101)


def test_invalid_probabilities_are_named():
    with pytest.raises(
        ValueError, match=r"row 1 is not a probability distribution \(sum 2, smallest 1\)"
    ):
        MAGVIT(np.array([[0.5, 0.5], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="5 clips cannot make 10 splits"):
        STYLEGAN_V(np.eye(5))
    with pytest.raises(ValueError, match=r"probabilities \[n k\]"):
        MAGVIT(np.zeros((0, 3)))
