"""Captions are encoded once and read by training; new prompts are encoded by sampling."""

import fake_remote
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from vdm_jax import checkpoints, commands, config, data, models, sampling, storage
from vdm_jax.checkpoints import safetensors
from vdm_jax.checkpoints.layouts import T5_V1_1
from vdm_jax.commands import embed

LENGTH = 6


@pytest.fixture(scope="module")
def encoder(real_clips, tmp_path_factory) -> sampling.TextEncoder:
    """A tiny T5 with random weights in a published file's layout."""
    folder = tmp_path_factory.mktemp("t5")
    model = models.T5(8, 1, 2, models.GatedFeedForward(16), head_dim=4)
    like = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, LENGTH), jnp.int32))
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda x: random.standard_normal(x.shape, np.float32), like["params"])
    safetensors.write_file(folder / "model.safetensors", T5_V1_1.to_foreign(params))
    pieces = real_clips.parent / "tokenizers" / "t5_spiece.derived.model"
    tokens = data.SentencePiece(str(pieces), LENGTH)
    return sampling.TextEncoder(model, str(folder / "model.safetensors"), tokens)


CAPTIONS = sorted({f"a {color} bird" for color in ("red", "blue", "green", "white", "black")})


@pytest.fixture(scope="module")
def stored(encoder, tmp_path_factory):
    out = tmp_path_factory.mktemp("stored") / "t5"
    embed.embed(encoder, CAPTIONS, out, batch=8)
    return out


def test_training_reads_the_embeddings(encoder, stored):
    text = data.Embeddings(str(stored), LENGTH, features=8)
    found = text.batch(["a red bird", ""])
    direct = encoder.batch(["a red bird"] * 8)  # the same batch size
    np.testing.assert_array_equal(found["text"][0], direct["text"][0])
    np.testing.assert_array_equal(found["text_mask"][0], direct["text_mask"][0])
    assert not found["text_mask"][1].any() and not found["text"][1].any()
    assert np.abs(found["text"][0][found["text_mask"][0]]).min() > 0


def test_prompts_that_are_not_stored_are_encoded(encoder, stored):
    text = data.Embeddings(str(stored), LENGTH + 2, features=8)
    found = sampling.encode_prompts(text, ["a red bird", "a purple fish"])
    assert found["text"].shape == (2, LENGTH + 2, 8)
    np.testing.assert_array_equal(
        found["text"][1, :LENGTH], encoder.batch(["a purple fish"])["text"][0]
    )
    assert found["text_mask"][1].sum() == encoder.batch(["a purple fish"])["text_mask"].sum()
    (stored / sampling.encoders.RECORD).rename(stored / "elsewhere")
    with pytest.raises(checkpoints.CheckpointError, match=r"'a purple fish' has no embedding in"):
        sampling.encode_prompts(text, ["a red bird", "a purple fish"])
    (stored / "elsewhere").rename(stored / sampling.encoders.RECORD)


def test_an_interrupted_command_resumes(encoder, stored, tmp_path, monkeypatch):
    calls, encode = [], sampling.TextEncoder.encode

    def stopping(self, captions, rows=None):
        calls.append(len(captions))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(self, captions, rows)

    monkeypatch.setattr(sampling.TextEncoder, "encode", stopping)
    many = [*CAPTIONS, "one", "two", "three", "four", "five"]
    with pytest.raises(KeyboardInterrupt):
        embed.embed(encoder, many, tmp_path / "t5", batch=8)
    with pytest.raises(config.ConfigError, match="embeddings of other captions"):
        embed.embed(encoder, many[1:], tmp_path / "t5", batch=8)
    embed.embed(encoder, many, tmp_path / "t5", batch=8)
    assert calls == [8, 8, 8]  # the first batch is not encoded again
    both = [data.Embeddings(str(f), LENGTH, 8) for f in (tmp_path / "t5", stored)]
    np.testing.assert_array_equal(*(t.batch(CAPTIONS)["text"] for t in both))


def test_an_interrupted_command_resumes_in_a_bucket(encoder, tmp_path, monkeypatch):
    fake_remote.register()
    there = epath.Path("s3://text/t5")
    plain = sampling.TextEncoder.encode
    calls = []

    def stopping(self, captions, rows=None):
        calls.append(len(captions))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(self, captions, rows)

    monkeypatch.setattr(sampling.TextEncoder, "encode", stopping)
    monkeypatch.setattr(embed, "build_model", lambda name: encoder.model)
    many = [f"{n} birds" for n in range(10)]
    (there.parent / "captions.txt").write_text("\n".join(many))
    argv = ["embed", str(there.parent / "captions.txt"), "--out", str(there), "--batch", "8",
            "--weights", encoder.weights, "--tokenizer", encoder.tokens.path,
            "--length", str(LENGTH)]  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        commands.main(argv)
    assert commands.main(argv) == 0 and calls == [8, 8, 8]  # the first batch is not encoded again
    assert not [file.name for file in there.iterdir() if file.name.startswith(".")]
    storage.copy(there, tmp_path / "resumed")
    embed.embed(encoder, many, tmp_path / "straight", batch=8)
    both = [data.Embeddings(str(tmp_path / f), LENGTH, 8) for f in ("resumed", "straight")]
    np.testing.assert_array_equal(*(t.batch(many)["text"] for t in both))
    assert commands.main(argv) == 2  # the embeddings exist


def test_captions_of_a_text_file(tmp_path):
    (tmp_path / "captions.txt").write_text("a bird\n\na fish\na bird\n")
    assert set(embed.read_captions(epath.Path(tmp_path) / "captions.txt")) == {
        "a bird",
        "",
        "a fish",
    }


def test_without_weights_the_published_files_are_named(encoder, tmp_path, capsys):
    (tmp_path / "captions.txt").write_text("a bird\n")
    arguments = ["embed", str(tmp_path / "captions.txt"), "--out", str(tmp_path / "out")]
    paths = ["--weights", str(tmp_path / "none"), "--tokenizer", encoder.tokens.path]
    assert commands.main([*arguments, *paths]) == 2
    assert "google/t5-v1_1-xxl: pytorch_model.bin" in capsys.readouterr().err
    assert commands.main([*arguments, *paths, "--encoder", "t6-xxl"]) == 2
    assert "no encoder 't6-xxl'; did you mean 't5'" in capsys.readouterr().err
    assert commands.main([*arguments, *paths, "--encoder", "t5-v1_1-xll"]) == 2
    assert "no T5 of size 'xll'; did you mean 'xl'" in capsys.readouterr().err
