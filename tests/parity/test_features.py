"""CLIP's image encoder and VideoMAE against transformers: vectors to 1e-5, all tensors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal

from vdm_jax import models
from vdm_jax.checkpoints import CheckpointError, layouts, read_weights
from vdm_jax.nn import GELU, QuickGELU

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from foreign import assert_same_bytes, randomize, saved_tensors  # noqa: E402


def like(network, *shape):
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.eval_shape(network.init, jax.random.key(0), x)["params"]


def run(network, params, x):
    with jax.default_matmul_precision("highest"):
        return np.asarray(jax.jit(network.apply)({"params": params}, x))


VISION = {"hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 3,
          "num_attention_heads": 2, "image_size": 12, "patch_size": 4}  # fmt: skip
TEXT = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "vocab_size": 50, "max_position_embeddings": 7}  # fmt: skip


@pytest.mark.parametrize(
    ("act", "activation"), [("quick_gelu", QuickGELU()), ("gelu", GELU())], ids=["quick", "erf"]
)
def test_clip_image_encoder(tmp_path, act, activation):
    vision = {**VISION, "hidden_act": act}
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=vision, projection_dim=10)
    theirs = randomize(transformers.CLIPModel(config))
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    tensors = read_weights(tmp_path / "pytorch_model.bin")
    network = models.ClipImage(24, 3, 2, patch=4, projection=10, activation=activation, size=12)
    layout = layouts.CLIP_IMAGE
    assert layout.match_score(tensors) == 1.0
    params = layout.to_params(tensors, like(network, 1, 12, 12, 3))
    images = {n: tensors[n] for n in tensors if n.startswith("vis") and "position_ids" not in n}
    assert_same_bytes(layout.to_foreign(params), images)
    frames = normal(2, 3, 12, 12, 3)
    with torch.no_grad():
        pixels = torch.tensor(np.asarray(frames).reshape(-1, 12, 12, 3).transpose(0, 3, 1, 2))
        pooled = theirs.vision_model(pixels).pooler_output
        expected = theirs.visual_projection(pooled).numpy().reshape(2, 3, 10)
    np.testing.assert_allclose(run(network, params, frames), expected, atol=1e-5)
    words = {n: tensors[n] for n in tensors if n.startswith("text")}
    with pytest.raises(CheckpointError, match=r"there is no tensor vision_model\."):
        layout.to_params(words, like(network, 1, 12, 12, 3))
    with pytest.raises(CheckpointError, match="another size"):
        layout.to_params(tensors, like(network.clone(patch=6), 1, 12, 12, 3))
    with pytest.raises(ValueError, match="frames of 12 x 12 pixels, not 8 x 12"):
        like(network, 1, 8, 12, 3)


SIZES = {
    "B/32": (models.ClipImage.vit_b32(), (768, 3072, 12, 12, 32), 512, 87_849_216),
    "B/16": (models.ClipImage.vit_b16(), (768, 3072, 12, 12, 16), 512, 86_192_640),
    "L/14": (models.ClipImage.vit_l14(), (1024, 4096, 24, 16, 14), 768, 303_966_208),
    "H/14": (models.ClipImage.open_clip_h(), (1280, 5120, 32, 16, 14), 1024, 632_076_800),
}


@pytest.mark.parametrize("size", SIZES)
def test_clip_image_encoder_at_every_published_size(size):
    network, values, projection, count = SIZES[size]
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "patch_size")  # fmt: skip
    vision = dict(zip(keys, values, strict=True))
    with torch.device("meta"):
        config = transformers.CLIPVisionConfig(**vision, projection_dim=projection)
        theirs = transformers.CLIPVisionModelWithProjection(config)
    shapes = like(network, 1, 224, 224, 3)
    foreign = layouts.CLIP_IMAGE.to_foreign(shapes)
    assert {n: foreign.shape(n) for n in foreign} == {
        name: tuple(t.shape) for name, t in theirs.state_dict().items()
    }
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


VIDEO = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3,
         "num_attention_heads": 2, "image_size": 16, "patch_size": 8, "num_frames": 6}  # fmt: skip


def to_authors_names(tensors):
    """Tensors under the names of VideoMAE's own files instead of Hugging Face's."""
    qkv = "attention.attention"
    plain = (
        ("videomae.embeddings.patch_embeddings.projection", "patch_embed.proj"),
        ("videomae.encoder.layer", "blocks"), ("layernorm_before", "norm1"),
        ("layernorm_after", "norm2"), ("attention.output.dense", "attn.proj"),
        ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
        (f"{qkv}.q_bias", "attn.q_bias"), (f"{qkv}.v_bias", "attn.v_bias"),
        ("classifier", "head"),
    )  # fmt: skip
    renamed = {}
    for name, tensor in tensors.items():
        if f"{qkv}.query.weight" in name:
            qkv_tensors = [tensors[name.replace("query", x)] for x in ("query", "key", "value")]
            name, tensor = name.replace(f"{qkv}.query", "attn.qkv"), np.concatenate(qkv_tensors)
        elif name.endswith(("key.weight", "value.weight")):
            continue
        for theirs, authors in plain:
            name = name.replace(theirs, authors)
        renamed[name] = tensor
    return renamed


@pytest.fixture(scope="module")
def video_mae(tmp_path_factory):
    config = transformers.VideoMAEConfig(**VIDEO, layer_norm_eps=1e-6, num_labels=5)
    theirs = randomize(transformers.VideoMAEForVideoClassification(config))
    return theirs, saved_tensors(theirs, tmp_path_factory.mktemp("video_mae"))


NETWORK = models.VideoMAE(24, 3, 2, inner=40, patch=8, frames=6, size=16)


def test_video_mae(video_mae, tmp_path):
    theirs, tensors = video_mae
    shapes = like(NETWORK, 1, 6, 16, 16, 3)
    layout, fit = layouts.recognize(tensors)
    assert (layout, fit) == (layouts.VIDEO_MAE_HUGGING_FACE, 1.0)
    params = layout.to_params(tensors, shapes)
    own = {n: t for n, t in tensors.items() if not n.startswith("classifier")}
    assert_same_bytes(layout.to_foreign(params), own)
    video = normal(2, 6, 16, 16, 3)
    with torch.no_grad():
        pixels = torch.tensor(np.asarray(video).transpose(0, 1, 4, 2, 3))
        theirs.fc_norm.eps = 1e-6  # as in the authors' code
        expected = theirs.fc_norm(theirs.videomae(pixels)[0].mean(1)).numpy()
    np.testing.assert_allclose(run(NETWORK, params, video), expected, atol=1e-5)

    authors = {n: torch.tensor(t) for n, t in to_authors_names(tensors).items()}
    torch.save({"module": authors, "epoch": 49}, tmp_path / "ssv2.pth")
    file = read_weights(tmp_path / "ssv2.pth")
    assert layouts.recognize(file, file.shape) == (layouts.VIDEO_MAE, 1.0)
    again = layouts.VIDEO_MAE.to_params(file, shapes)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    with pytest.raises(ValueError, match=r"6 frames of 16 x 16 pixels, not .* \(8, 16, 16\)"):
        like(NETWORK, 1, 8, 16, 16, 3)


VIDEO_SIZES = {
    "small": (384, 1536, 12, 6, 16),
    "base": (768, 3072, 12, 12, 16),
    "giant": (1408, 6144, 40, 16, 14),
}


@pytest.mark.parametrize("size", VIDEO_SIZES)
def test_video_mae_at_every_published_size(size, monkeypatch):
    sines = "transformers.models.videomae.modeling_videomae.get_sinusoid_encoding_table"
    monkeypatch.setattr(sines, lambda *size: torch.zeros(1, *size))  # slow, and not in the file
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "patch_size")  # fmt: skip
    with torch.device("meta"):
        config = transformers.VideoMAEConfig(**dict(zip(keys, VIDEO_SIZES[size], strict=True)))
        theirs = transformers.VideoMAEForVideoClassification(config)
    shapes = like(getattr(models.VideoMAE, size)(), 1, 16, 224, 224, 3)
    foreign = layouts.VIDEO_MAE_HUGGING_FACE.to_foreign(shapes)
    written = {  # transformers 5 uses other names in memory than in files
        name.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): tuple(t.shape)
        for name, t in theirs.state_dict().items()
        if not name.startswith("classifier")
    }
    assert {n: foreign.shape(n) for n in foreign} == written


def test_files_of_other_networks_raise(video_mae):
    _, tensors = video_mae
    shapes = like(NETWORK, 1, 6, 16, 16, 3)
    authors = to_authors_names(tensors)
    without = {n: t for n, t in authors.items() if n != "blocks.1.attn.q_bias"}
    with pytest.raises(CheckpointError, match=r"no tensor blocks\.1\.attn\.q_bias"):
        layouts.VIDEO_MAE.to_params(without, shapes)
    pretrained = {f"encoder.{n}": t for n, t in authors.items()}
    with pytest.raises(CheckpointError, match=r"there is no tensor .*did you mean"):
        layouts.VIDEO_MAE.to_params(pretrained, shapes)
    larger = like(NETWORK.clone(features=32, patch=4), 1, 6, 16, 16, 3)
    with pytest.raises(CheckpointError, match="another size"):
        layouts.VIDEO_MAE.to_params(authors, larger)
