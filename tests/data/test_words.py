"""Words: every caption of the vocabulary comes back, and nothing else is let through."""

import numpy as np
import pytest

from vdm_jax.data import MovingShapes, WordTokenizer

SHAPES = MovingShapes()
WORDS = WordTokenizer(SHAPES.vocabulary, SHAPES.longest_caption)


def test_every_caption_comes_back():
    captions = [SHAPES.caption(label) for label in range(SHAPES.labels)]
    tokens, mask = WORDS.encode(captions)
    assert tokens.dtype == np.int32
    assert mask.dtype == bool
    assert tokens.shape == mask.shape == (210, 6)
    assert WORDS.decode(tokens) == captions
    assert tokens.max() < WORDS.size


def test_padding_is_zero_and_masked():
    tokens, mask = WordTokenizer(("down", "up"), 3).encode(["up", "", "up down up"])
    np.testing.assert_array_equal(tokens, [[2, 0, 0], [0, 0, 0], [2, 1, 2]])
    np.testing.assert_array_equal(mask, [[1, 0, 0], [0, 0, 0], [1, 1, 1]])


def test_case_and_punctuation_do_not_matter():
    assert WORDS.decode(WORDS.encode(["A small, RED circle moving left."])[0]) == [
        "a small red circle moving left"
    ]


def test_an_unknown_word_is_named_with_the_nearest_known_one():
    with pytest.raises(ValueError, match=r"'cirle' in caption 'a small red cirle'.*'circle'"):
        WORDS.encode(["a small red cirle"])


def test_a_caption_too_long_is_named_with_the_length_it_needs():
    with pytest.raises(ValueError, match=r"has 3 words.*room for 2.*raise Words.length to 3"):
        WordTokenizer(("up",), 2).encode(["up up up"])


@pytest.mark.parametrize("vocabulary", [(), ("up", "Up"), ("moving left",), ("",)])
def test_a_vocabulary_is_single_words_each_once(vocabulary):
    with pytest.raises(ValueError, match=r"Words\.vocabulary"):
        WordTokenizer(vocabulary, 4)
