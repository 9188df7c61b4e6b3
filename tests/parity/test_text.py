"""Text encoders against transformers: hidden states to 1e-5, all tensors."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import data, models
from vdm_jax.checkpoints import layouts
from vdm_jax.data.byte_pairs import BytePairs
from vdm_jax.nn import GELU, QuickGELU

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from foreign import assert_same_bytes, randomize, saved_tensors  # noqa: E402

TOKENS = np.array([[5, 17, 3, 90, 1, 0, 0], [8, 2, 44, 6, 7, 9, 1], [1, 0, 0, 0, 0, 0, 0]])
MASK = np.cumsum(TOKENS == 1, axis=1) - (TOKENS == 1) == 0


def import_weights(network, layout, tensors):
    like = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 7), jnp.int32))["params"]
    assert layouts.recognize(tensors) == (layout, 1.0)
    params = layout.to_params(tensors, like)
    assert_same_bytes(layout.to_foreign(params), tensors)
    return params


def run(network, params, tokens, mask, method="__call__"):
    with jax.default_matmul_precision("highest"):
        apply = jax.jit(lambda *args: network.apply({"params": params}, *args, method=method))
        return apply(tokens, mask)


T5 = {"vocab_size": 100, "d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 3, "num_heads": 2}


@pytest.mark.parametrize(
    ("act", "network", "layout"),
    [
        ("gated-gelu", models.T5(24, 3, 2, models.GatedFeedForward(40), 8, 100), layouts.T5_V1_1),
        ("relu", models.T5(24, 3, 2, models.FeedForward(40), 8, 100), layouts.T5_ORIGINAL),
    ],
)
def test_t5(tmp_path, act, network, layout):
    theirs = transformers.T5EncoderModel(transformers.T5Config(**T5, feed_forward_proj=act))
    params = import_weights(network, layout, saved_tensors(randomize(theirs), tmp_path))
    for mask in (MASK, None):
        ids, real = torch.tensor(TOKENS), None if mask is None else torch.tensor(mask)
        with torch.no_grad():
            expected = theirs(ids, attention_mask=real).last_hidden_state.numpy()
        np.testing.assert_allclose(run(network, params, TOKENS, mask), expected, atol=1e-5)


def test_t5_position_buckets_at_every_distance():
    from transformers.models.t5.modeling_t5 import T5Attention

    from vdm_jax.nn.positions import relative_position_bucket

    distance = np.arange(-2000, 2001)
    expected = T5Attention._relative_position_bucket(torch.tensor(distance)).numpy()
    np.testing.assert_array_equal(relative_position_bucket(distance), expected)


def test_a_file_with_t5s_decoder_loads(tmp_path):
    config = transformers.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    theirs = randomize(transformers.T5ForConditionalGeneration(config))
    tensors = {n: t.numpy() for n, t in theirs.state_dict().items()}
    assert "decoder.block.0.layer.0.SelfAttention.q.weight" in tensors
    network = models.T5(24, 3, 2, models.GatedFeedForward(40), 8, 100)
    like = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 7), jnp.int32))["params"]
    exported = layouts.T5_V1_1.to_foreign(layouts.T5_V1_1.to_params(tensors, like))
    ignored = {n for n in tensors if n.startswith(("decoder", "lm_head", "encoder.embed_tokens"))}
    assert_same_bytes(exported, {n: t for n, t in tensors.items() if n not in ignored})


CLIP = {
    "vocab_size": 100,
    "hidden_size": 24,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 9,
    "projection_dim": 10,
    "eos_token_id": 99,
    "bos_token_id": 98,
    "pad_token_id": 99,
}
CLIP_TOKENS = np.array([[98, 17, 3, 90, 99, 99, 99], [98, 2, 44, 6, 7, 9, 99]])
CLIP_MASK = np.array([[1, 1, 1, 1, 1, 0, 0], [1] * 7], bool)


@pytest.mark.parametrize(
    ("act", "activation"), [("quick_gelu", QuickGELU()), ("gelu", GELU())], ids=["quick", "erf"]
)
def test_clip(tmp_path, act, activation):
    config = transformers.CLIPTextConfig(**CLIP, hidden_act=act)
    theirs = randomize(transformers.CLIPTextModelWithProjection(config))
    network = models.ClipText(24, 3, 2, activation, projection=10, vocabulary=100, length=9)
    params = import_weights(network, layouts.CLIP_TEXT_PROJECTED, saved_tensors(theirs, tmp_path))
    for mask in (CLIP_MASK, None):
        ids, real = torch.tensor(CLIP_TOKENS), None if mask is None else torch.tensor(mask)
        with torch.no_grad():
            out = theirs(ids, attention_mask=real, output_hidden_states=True)
            skipped = theirs.text_model.final_layer_norm(out.hidden_states[-2]).numpy()
        text, pooled = run(network, params, CLIP_TOKENS, mask, "encode")
        np.testing.assert_allclose(text, out.last_hidden_state.numpy(), atol=1e-5)
        np.testing.assert_allclose(pooled, out.text_embeds.numpy(), atol=1e-5)
        penultimate = run(network.clone(clip_skip=1), params, CLIP_TOKENS, mask)
        np.testing.assert_allclose(penultimate, skipped, atol=1e-5)


def test_clip_of_stable_diffusion(tmp_path):
    theirs = randomize(transformers.CLIPTextModel(transformers.CLIPTextConfig(**CLIP)))
    network = models.ClipText(24, 3, 2, vocabulary=100, length=9)
    tensors = saved_tensors(theirs, tmp_path)
    params = import_weights(network, layouts.CLIP_TEXT_5, tensors)
    published = {f"text_model.{name}": tensor for name, tensor in tensors.items()}
    again = import_weights(network, layouts.CLIP_TEXT, published)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    with torch.no_grad():
        out = theirs(torch.tensor(CLIP_TOKENS))
    text, pooled = run(network, params, CLIP_TOKENS, None, "encode")
    np.testing.assert_allclose(text, out.last_hidden_state.numpy(), atol=1e-5)
    np.testing.assert_allclose(pooled, out.pooler_output.numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="CLIP takes 9 tokens, not 14"):
        run(network, params, np.tile(CLIP_TOKENS, 2), None)


def test_a_file_with_clips_image_encoder_loads(tmp_path):
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
              "num_attention_heads": 2, "image_size": 8, "patch_size": 4}  # fmt: skip
    config = transformers.CLIPConfig(text_config=CLIP, vision_config=vision, projection_dim=10)
    tensors = saved_tensors(transformers.CLIPModel(config), tmp_path)
    tensors["text_model.embeddings.position_ids"] = np.arange(9)[None]
    network = models.ClipText(24, 3, 2, projection=10, vocabulary=100, length=9)
    like = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 7), jnp.int32))["params"]
    layout, fit = layouts.recognize(tensors)
    assert (layout, fit) == (layouts.CLIP_TEXT_PROJECTED, 1.0)
    exported = layout.to_foreign(layout.to_params(tensors, like))
    text = {n for n in tensors if n.startswith("text_") and not n.endswith("position_ids")}
    assert_same_bytes(exported, {n: tensors[n] for n in text})


T5_SIZES = {
    "original": {
        "small": {"d_model": 512, "d_ff": 2048, "num_layers": 6, "num_heads": 8},
        "base": {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
        "large": {"d_model": 1024, "d_ff": 4096, "num_layers": 24, "num_heads": 16},
        "3b": {"d_model": 1024, "d_ff": 16384, "num_layers": 24, "num_heads": 32, "d_kv": 128},
        "11b": {"d_model": 1024, "d_ff": 65536, "num_layers": 24, "num_heads": 128, "d_kv": 128},
    },
    "v1_1": {
        "small": {"d_model": 512, "d_ff": 1024, "num_layers": 8, "num_heads": 6},
        "base": {"d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12},
        "large": {"d_model": 1024, "d_ff": 2816, "num_layers": 24, "num_heads": 16},
        "xl": {"d_model": 2048, "d_ff": 5120, "num_layers": 24, "num_heads": 32},
        "xxl": {"d_model": 4096, "d_ff": 10240, "num_layers": 24, "num_heads": 64},
    },
}
"""Fields of `config.json` of every published T5."""


def shapes(network, theirs, layout):
    """(ours, theirs): names and shapes of all tensors at full size."""
    like = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 7), jnp.int32))["params"]
    foreign = layout.to_foreign(like)
    ours = {name: foreign.shape(name) for name in foreign}
    names = {name: tuple(t.shape) for name, t in theirs.state_dict().items()}
    return ours, {n: s for n, s in names.items() if n != "encoder.embed_tokens.weight"}


@pytest.mark.parametrize(
    ("version", "size"), [(v, s) for v, sizes in T5_SIZES.items() for s in sizes]
)
def test_t5_at_every_published_size(version, size):
    act = {"original": "relu", "v1_1": "gated-gelu"}[version]
    with torch.device("meta"):
        config = transformers.T5Config(**T5_SIZES[version][size], feed_forward_proj=act)
        theirs = transformers.T5EncoderModel(config)
    layout = {"original": layouts.T5_ORIGINAL, "v1_1": layouts.T5_V1_1}[version]
    ours, expected = shapes(getattr(models.T5, version)(size), theirs, layout)
    assert ours == expected
    if (version, size) == ("v1_1", "xxl"):
        assert sum(map(np.prod, ours.values())) == 4_762_310_656


def test_unknown_sizes_raise():
    with pytest.raises(ValueError, match="no T5 of size 'xxxl'; did you mean 'xxl'"):
        models.T5.v1_1("xxxl")


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (models.ClipText.vit_b32(), (512, 2048, 12, 8, 512)),
        (models.ClipText.vit_l14(), (768, 3072, 12, 12, 768)),
        (models.ClipText.open_clip_h(), (1024, 4096, 24, 16, 1024)),
    ],
    ids=["B/32", "L/14", "H/14"],
)
def test_clip_at_every_published_size(network, config):
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "projection_dim")  # fmt: skip
    with torch.device("meta"):
        config = transformers.CLIPTextConfig(**dict(zip(keys, config, strict=True)))
        theirs = transformers.CLIPTextModelWithProjection(config)
    ours, expected = shapes(network, theirs, layouts.CLIP_TEXT_PROJECTED)
    assert ours == expected


@pytest.fixture(scope="module")
def files(real_clips):
    return real_clips.parent / "tokenizers"


CAPTIONS = ["A cat, playing with 2 balls.", "it's 50% off & naïve café!", "x", "way too long " * 9]


def assert_same_tokens(ours, theirs):
    expected = theirs(CAPTIONS, padding="max_length", max_length=16, truncation=True)
    batch = ours.batch(CAPTIONS)
    np.testing.assert_array_equal(batch["tokens"], expected["input_ids"])
    np.testing.assert_array_equal(batch["text_mask"], np.array(expected["attention_mask"], bool))


def test_t5_tokens_equal_those_of_transformers(files, tmp_path):
    model = files / "t5_spiece.derived.model"
    shutil.copy(model, tmp_path / "spiece.model")
    theirs = transformers.T5Tokenizer.from_pretrained(tmp_path)
    assert_same_tokens(data.SentencePiece(str(model), 16), theirs)


def test_clip_tokens_equal_those_of_transformers(files):
    table = files / "bpe_simple_vocab_16e6.txt.gz"
    pairs = BytePairs.read(table)
    ends = {"<|startoftext|>": pairs.start, "<|endoftext|>": pairs.end}
    theirs = transformers.CLIPTokenizer(vocab=pairs.ids | ends, merges=list(pairs.ranks))
    assert_same_tokens(data.ClipBPE(str(table), 16), theirs)
