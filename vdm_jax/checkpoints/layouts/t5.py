"""Layouts of T5's encoder: Hugging Face."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Names, Rule, dense

BLOCK = "encoder.block.{i}.layer"


def _layout(name: str, files: tuple[str, ...], inner: Names) -> Layout:
    return Layout(
        name=name,
        files=files,
        rules=(
            Rule("shared.weight", "words/embedding"),
            Rule(
                "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                "positions/table",
            ),
            Rule(f"{BLOCK}.0.layer_norm.weight", "block_{i}/norm_0/scale"),
            *dense(f"{BLOCK}.0.SelfAttention.q", "block_{i}/q", bias=False),
            *dense(
                (f"{BLOCK}.0.SelfAttention.k", f"{BLOCK}.0.SelfAttention.v"),
                "block_{i}/kv",
                bias=False,
            ),
            *dense(f"{BLOCK}.0.SelfAttention.o", "block_{i}/out", bias=False),
            Rule(f"{BLOCK}.1.layer_norm.weight", "block_{i}/norm_1/scale"),
            *dense(inner, "block_{i}/feed_forward/in", bias=False),
            *dense(f"{BLOCK}.1.DenseReluDense.wo", "block_{i}/feed_forward/out", bias=False),
            Rule("encoder.final_layer_norm.weight", "norm/scale"),
        ),
        ignored=("decoder.*", "lm_head.*"),
        duplicates=(("encoder.embed_tokens.weight", "shared.weight"),),
    )


T5_V1_1 = _layout(
    "T5 v1.1 encoder (Hugging Face)",
    (
        *(
            f"google/t5-v1_1-{n}: pytorch_model.bin"
            for n in ("small", "base", "large", "xl", "xxl")
        ),
        *(f"google/flan-t5-{n}: model.safetensors" for n in ("small", "base", "large")),
    ),
    (f"{BLOCK}.1.DenseReluDense.wi_0", f"{BLOCK}.1.DenseReluDense.wi_1"),
)
"""`models.T5.v1_1(size)`."""

T5_ORIGINAL = _layout(
    "T5 encoder (Hugging Face)",
    tuple(f"google-t5/t5-{n}: model.safetensors" for n in ("small", "base", "large")),
    f"{BLOCK}.1.DenseReluDense.wi",
)
"""`models.T5.original(size)`."""
