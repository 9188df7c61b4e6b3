"""Layouts of VideoMAE: its authors' and Hugging Face's."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule, dense, norm

PATCHES = "o c t p q -> t p q c o"


def _patches(foreign: str) -> tuple[Rule, ...]:
    return (
        Rule(f"{foreign}.weight", "patches/kernel", PATCHES),
        Rule(f"{foreign}.bias", "patches/bias"),
    )


VIDEO_MAE = Layout(
    "VideoMAE",
    (
        *_patches("patch_embed.proj"),
        *norm("blocks.{i}.norm1", "block_{i}/norm_0"),
        *dense("blocks.{i}.attn.qkv", "block_{i}/qkv/all", bias=False),
        Rule("blocks.{i}.attn.q_bias", "block_{i}/qkv/q_bias"),
        Rule("blocks.{i}.attn.v_bias", "block_{i}/qkv/value_bias"),
        *dense("blocks.{i}.attn.proj", "block_{i}/out"),
        *norm("blocks.{i}.norm2", "block_{i}/norm_1"),
        *dense("blocks.{i}.mlp.fc1", "block_{i}/inner"),
        *dense("blocks.{i}.mlp.fc2", "block_{i}/outer"),
        *norm("fc_norm", "norm"),
    ),
    files=("OpenGVLab/InternVideoMAE_models: mae-g/vit_g_hybrid_pt_1200e_ssv2_ft.pth",),
    ignored=("head.*",),
)
"""`models.VideoMAE`, fine-tuned, without the classifier."""

_LAYER = "videomae.encoder.layer.{i}"

VIDEO_MAE_HUGGING_FACE = Layout(
    "VideoMAE (Hugging Face)",
    (
        *_patches("videomae.embeddings.patch_embeddings.projection"),
        *norm(f"{_LAYER}.layernorm_before", "block_{i}/norm_0"),
        *dense(
            tuple(f"{_LAYER}.attention.attention.{x}" for x in ("query", "key", "value")),
            "block_{i}/qkv/all",
            bias=False,
        ),
        Rule(f"{_LAYER}.attention.attention.q_bias", "block_{i}/qkv/q_bias"),
        Rule(f"{_LAYER}.attention.attention.v_bias", "block_{i}/qkv/value_bias"),
        *dense(f"{_LAYER}.attention.output.dense", "block_{i}/out"),
        *norm(f"{_LAYER}.layernorm_after", "block_{i}/norm_1"),
        *dense(f"{_LAYER}.intermediate.dense", "block_{i}/inner"),
        *dense(f"{_LAYER}.output.dense", "block_{i}/outer"),
        *norm("fc_norm", "norm"),
    ),
    files=("MCG-NJU/videomae-base-finetuned-ssv2: model.safetensors",),
    ignored=("classifier.*",),
)
"""The same, as Hugging Face's `VideoMAEForVideoClassification`."""
