"""Layouts of CLIP's encoders: Hugging Face."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule, dense, norm

IMAGES = ("vision_model.*", "visual_projection.*", "logit_scale", "*embeddings.position_ids")
PATCHES = "o c p q -> p q c o"
TEXTS = ("text_model.*", "text_projection.*", "logit_scale", "*embeddings.position_ids")


def _layers(prefix: str) -> tuple[Rule, ...]:
    layer = f"{prefix}encoder.layers.{{i}}"
    return (
        Rule(f"{prefix}embeddings.position_embedding.weight", "places"),
        *norm(f"{layer}.layer_norm1", "block_{i}/norm_0"),
        *dense(tuple(f"{layer}.self_attn.{x}_proj" for x in "qkv"), "block_{i}/qkv"),
        *dense(f"{layer}.self_attn.out_proj", "block_{i}/out"),
        *norm(f"{layer}.layer_norm2", "block_{i}/norm_1"),
        *dense(f"{layer}.mlp.fc1", "block_{i}/inner"),
        *dense(f"{layer}.mlp.fc2", "block_{i}/outer"),
    )


def _encoder(prefix: str) -> tuple[Rule, ...]:
    return (
        Rule(f"{prefix}embeddings.token_embedding.weight", "words/embedding"),
        *_layers(prefix),
        *norm(f"{prefix}final_layer_norm", "norm"),
    )


FILES = (
    "openai/clip-vit-base-patch32: pytorch_model.bin",
    "openai/clip-vit-base-patch16: pytorch_model.bin",
    "openai/clip-vit-large-patch14: model.safetensors",
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K: model.safetensors",
)


CLIP_TEXT_PROJECTED = Layout(
    "CLIP text encoder with projection (Hugging Face)",
    (*_encoder("text_model."), *dense("text_projection", "projection", bias=False)),
    files=FILES,
    ignored=IMAGES,
)
"""`models.ClipText.vit_b32()`, `vit_l14()` and `open_clip_h()`."""

CLIP_IMAGE = Layout(
    "CLIP image encoder (Hugging Face)",
    (
        Rule("vision_model.embeddings.class_embedding", "class"),
        Rule("vision_model.embeddings.patch_embedding.weight", "patches/kernel", PATCHES),
        *norm("vision_model.pre_layrnorm", "norm_before"),
        *_layers("vision_model."),
        *norm("vision_model.post_layernorm", "norm_after"),
        *dense("visual_projection", "projection", bias=False),
    ),
    files=FILES,
    ignored=TEXTS,
)
"""`models.ClipImage.vit_b32()`, `vit_b16()`, `vit_l14()` and `open_clip_h()`."""

CLIP_TEXT = Layout(
    "CLIP text encoder (Hugging Face)",
    _encoder("text_model."),
    files=(
        "stable-diffusion-v1-5/stable-diffusion-v1-5: text_encoder/model.safetensors",
        "stabilityai/stable-diffusion-2-1: text_encoder/model.safetensors",
    ),
    ignored=(*IMAGES, "text_projection.weight"),
)
"""`models.ClipText.vit_l14()` and `open_clip_h()`, without projection."""

CLIP_TEXT_5 = Layout(
    "CLIP text encoder (transformers 5)",
    _encoder(""),
    ignored=("*embeddings.position_ids",),
)
"""The same, as transformers 5 and later save it."""
