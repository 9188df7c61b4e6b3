"""Tokenizers: published token ids of T5 and CLIP, truncation and padding, errors."""

import gzip
import html
import random

import numpy as np
import pytest

from vdm_jax import config, data


@pytest.fixture(scope="module")
def files(real_clips):
    return real_clips.parent / "tokenizers"


@pytest.fixture(scope="module")
def t5(files):
    pytest.importorskip("sentencepiece")
    return data.SentencePiece(str(files / "t5_spiece.derived.model"), length=16)


@pytest.fixture(scope="module")
def clip(files):
    return data.ClipBPE(str(files / "bpe_simple_vocab_16e6.txt.gz"))


def test_t5s_published_ids(t5):
    batch = t5.batch(["translate English to German: That is good.", ""])
    known = [13959, 1566, 12, 2968, 10, 466, 19, 207, 5, 1]
    assert batch["tokens"][0].tolist() == known + [0] * 6
    assert batch["text_mask"].sum(axis=1).tolist() == [10, 0]
    assert t5.size == 32000
    assert t5.decode(batch["tokens"][0][:9]) == "translate English to German: That is good."


def test_clips_published_ids(clip):
    batch = clip.batch(["a photo of a cat", "Hello,  WORLD!", ""])
    assert batch["tokens"].shape == batch["text_mask"].shape == (3, 77)
    ids = [49406, 320, 1125, 539, 320, 2368, 49407]
    assert batch["tokens"][0].tolist() == ids + [49407] * 70
    assert batch["text_mask"].sum(axis=1).tolist() == [7, 6, 0]
    assert batch["tokens"][1][:6].tolist() == [49406, 3306, 267, 1002, 256, 49407]
    assert clip.size == 49408
    assert clip.decode(batch["tokens"][0]) == "a photo of a cat"


def test_long_captions_are_truncated_before_their_end_token(t5, clip):
    long = "word " * 200
    tokens = t5.batch([long])["tokens"][0]
    assert (len(tokens), tokens[-1]) == (16, 1)
    assert 0 not in tokens
    tokens = clip.batch([long])["tokens"][0]
    assert (tokens[0], tokens[-1]) == (49406, 49407)
    assert (tokens[1:-1] == tokens[1]).all()


def test_clip_tokens_equal_those_of_another_implementation(files, clip):
    tokenizers = pytest.importorskip("tokenizers")
    lines = gzip.decompress((files / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode()
    merges = [tuple(line.split()) for line in lines.split("\n")[1 : 49152 - 256 - 2 + 1]]
    letters = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    single = sorted(letters, key=lambda c: (ord(c) >= 256, ord(c)))
    names = [*single, *(c + "</w>" for c in single), *map("".join, merges)]
    theirs = tokenizers.Tokenizer(
        tokenizers.models.BPE({n: i for i, n in enumerate(names)}, merges,
                              end_of_word_suffix="</w>", fuse_unk=False)
    )  # fmt: skip
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "removed", invert=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    rng = random.Random(0)
    alphabet = "abcdefg hijklm nopqrst uvwxyz 0123 '.,!?-&#;:_ äéßñ ½²Ⅷ 动作 👍"
    captions = ["it's a dog's life; we'll see, they've 42 cats & 7½ mice", "naïve café"]
    captions += ["".join(rng.choices(alphabet, k=40)) for _ in range(200)]
    for caption in captions:
        plain = " ".join(html.unescape(html.unescape(caption)).split()).lower()
        expected = theirs.encode(plain).ids[:75]
        assert clip.encode(caption)[1:-1] == expected, caption


def test_empty_captions_need_no_file():
    for text in (data.SentencePiece("nowhere", 8), data.ClipBPE("nowhere", 8)):
        assert text.batch([""])["tokens"].shape == (1, 8)
        assert config.from_json(config.to_json(text)) == text
        with pytest.raises(FileNotFoundError, match=r"path: there is no file nowhere"):
            text.batch(["a"])


def test_the_loader_tokenizes_captions(t5):
    shapes = data.MovingShapes(frames=2, size=8, examples=8)
    batches = data.Loader(4, t5)(shapes.clips("train"), seed=0)
    batch = next(batches)
    batches.close()
    captions = [t5.decode(row[: mask.sum() - 1]) for row, mask in
            zip(batch["tokens"], batch["text_mask"], strict=True)]  # fmt: skip
    assert captions == [shapes.caption(int(label)) for label in batch["label"]]
    assert batch["tokens"].dtype == np.int32
