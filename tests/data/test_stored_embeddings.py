"""Stored text embeddings as arrays of a batch."""

import json

import numpy as np
import pytest

from vdm_jax import data


@pytest.fixture
def stored(tmp_path):
    rows = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float16)
    np.save(tmp_path / "embeddings.npy", rows)
    np.save(tmp_path / "lengths.npy", np.array([2, 5]))
    (tmp_path / "captions.json").write_text(json.dumps(["a cat", "a dog runs"]))
    return tmp_path, rows


def test_embeddings_are_truncated_padded_and_masked(stored):
    path, rows = stored
    batch = data.Embeddings(str(path), length=3, features=4).batch(["a dog runs", "", "a cat"])
    np.testing.assert_array_equal(batch["text"][0], rows[1, :3])
    np.testing.assert_array_equal(batch["text"][2, :2], rows[0, :2])
    assert batch["text_mask"].tolist() == [[True] * 3, [False] * 3, [True, True, False]]
    assert not batch["text"][~batch["text_mask"]].any()


def test_missing_files_and_captions_are_errors(stored, tmp_path):
    path, _ = stored
    with pytest.raises(ValueError, match="no embedding of the caption 'a bird'"):
        data.Embeddings(str(path), length=3, features=4).batch(["a bird"])
    with pytest.raises(ValueError, match=r"is \(2, 5, 4\), expected \(2, tokens, 8\)"):
        data.Embeddings(str(path), length=3, features=8).batch(["a cat"])
    with pytest.raises(FileNotFoundError, match=r"captions.json is missing"):
        data.Embeddings(str(tmp_path / "no"), length=3, features=8).batch(["a cat"])
    shape = data.Embeddings("nowhere", length=3, features=8).batch([""])["text"].shape
    assert shape == (1, 3, 8)  # shapes need no files
