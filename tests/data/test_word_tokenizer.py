"""WordTokenizer: captions survive encoding and decoding; unknown words are errors."""

import numpy as np
import pytest

from vdm_jax.data import MovingShapes, WordTokenizer

SHAPES = MovingShapes()
TOKENIZER = WordTokenizer(SHAPES.vocabulary, SHAPES.longest_caption)


def test_decode_is_the_inverse_of_encode():
    captions = [SHAPES.caption(label) for label in range(SHAPES.labels)]
    tokens, mask = TOKENIZER.encode(captions)
    assert tokens.dtype == np.int32
    assert mask.dtype == bool
    assert tokens.shape == mask.shape == (210, 6)
    assert TOKENIZER.decode(tokens) == captions
    assert tokens.max() < TOKENIZER.size


def test_padding_is_zero_and_masked():
    tokens, mask = WordTokenizer(("down", "up"), 3).encode(["up", "", "up down up"])
    np.testing.assert_array_equal(tokens, [[2, 0, 0], [0, 0, 0], [2, 1, 2]])
    np.testing.assert_array_equal(mask, [[1, 0, 0], [0, 0, 0], [1, 1, 1]])


def test_case_and_punctuation_do_not_matter():
    assert TOKENIZER.decode(TOKENIZER.encode(["A small, RED circle moving left."])[0]) == [
        "a small red circle moving left"
    ]


def test_an_unknown_word_is_an_error_with_a_suggestion():
    with pytest.raises(ValueError, match=r"'cirle' in caption 'a small red cirle'.*'circle'"):
        TOKENIZER.encode(["a small red cirle"])


def test_a_caption_that_is_too_long_is_an_error_with_its_length():
    with pytest.raises(
        ValueError, match=r"has 3 words.*room for 2.*raise WordTokenizer.length to 3"
    ):
        WordTokenizer(("up",), 2).encode(["up up up"])


@pytest.mark.parametrize("vocabulary", [(), ("up", "Up"), ("moving left",), ("",)])
def test_a_wrong_vocabulary_is_an_error(vocabulary):
    with pytest.raises(ValueError, match=r"WordTokenizer\.vocabulary"):
        WordTokenizer(vocabulary, 4)
