"""Layouts of Stable Diffusion's U-Net: diffusers."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.layouts.autoencoder_kl import block, shortcut
from vdm_jax.checkpoints.rules import Rule, convolution, dense, norm


def _block(foreign: str, ours: str) -> tuple[Rule, ...]:
    return (*block(foreign, ours), *dense(f"{foreign}.time_emb_proj", f"{ours}/shift"))


def _transformer(foreign: str, ours: str, axes: str) -> tuple[Rule, ...]:
    layer = f"{foreign}.transformer_blocks.{{k}}"
    self_attention, cross_attention = f"{ours}/SelfAttention_{{k}}", f"{ours}/CrossAttention_{{k}}"
    feed_forward = f"{ours}/GatedFeedForward_{{k}}"
    return (
        *norm(f"{foreign}.norm", f"{ours}/norm"),
        *convolution(f"{foreign}.proj_in", f"{ours}/in", axes),
        *norm(f"{layer}.norm1", f"{self_attention}/norm"),
        *dense(tuple(f"{layer}.attn1.to_{x}" for x in "qkv"), f"{self_attention}/qkv", bias=False),
        *dense(f"{layer}.attn1.to_out.0", f"{self_attention}/out"),
        *norm(f"{layer}.norm2", f"{cross_attention}/norm"),
        *dense(f"{layer}.attn2.to_q", f"{cross_attention}/q", bias=False),
        *dense(tuple(f"{layer}.attn2.to_{x}" for x in "kv"), f"{cross_attention}/kv", bias=False),
        *dense(f"{layer}.attn2.to_out.0", f"{cross_attention}/out"),
        *norm(f"{layer}.norm3", f"{feed_forward}/norm"),
        *dense(f"{layer}.ff.net.0.proj", f"{feed_forward}/in"),
        *dense(f"{layer}.ff.net.2", f"{feed_forward}/out"),
        *convolution(f"{foreign}.proj_out", f"{ours}/out", axes),
    )


def unet_2d(name: str, files: tuple[str, ...], projection: str, levels: int = 4) -> Layout:
    """The layout of a `models.UNet` with `levels` `models.LatentLevel`s.

    projection: einops pattern of a transformer's first and last layer, which are convolutions in
      Stable Diffusion 1 and dense in Stable Diffusion 2.
    """
    down, up, deep = "down_blocks.{i}", "up_blocks.{i}", f"up_{{{levels - 1}-i}}"
    return Layout(
        name=name,
        files=files,
        rules=(
            *convolution("conv_in", "input"),
            *dense("time_embedding.linear_1", "embedding/StepNumber_0/Dense_0"),
            *dense("time_embedding.linear_2", "embedding/Dense_0"),
            *_block(f"{down}.resnets.{{j}}", "down_{i}/AdditiveBlock_{j}"),
            *shortcut(f"{down}.resnets.{{j}}", "down_{i}/AdditiveBlock_{j}"),
            *_transformer(f"{down}.attentions.{{j}}", "down_{i}/Transformer_{j}", projection),
            *convolution(f"{down}.downsamplers.0.conv", "down_{i}/DownsampleConv_0/Conv_0"),
            *_block("mid_block.resnets.{j}", "middle/AdditiveBlock_{j}"),
            *_transformer("mid_block.attentions.{j}", "middle/Transformer_{j}", projection),
            *_block(f"{up}.resnets.{{j}}", f"{deep}/AdditiveBlock_{{j}}"),
            *shortcut(f"{up}.resnets.{{j}}", f"{deep}/AdditiveBlock_{{j}}"),
            *_transformer(f"{up}.attentions.{{j}}", f"{deep}/Transformer_{{j}}", projection),
            *convolution(f"{up}.upsamplers.0.conv", f"{deep}/UpsampleConv_0/Conv_0"),
            *norm("conv_norm_out", "output_norm"),
            *convolution("conv_out", "output"),
        ),
    )


STABLE_DIFFUSION_1 = unet_2d(
    "U-Net of Stable Diffusion 1 (diffusers)",
    (
        "stable-diffusion-v1-5/stable-diffusion-v1-5: unet/diffusion_pytorch_model.safetensors",
        "CompVis/stable-diffusion-v1-4: unet/diffusion_pytorch_model.safetensors",
    ),
    projection="o i 1 1 -> i o",
)
"""`systems.stable_diffusion.unet_1()`."""

STABLE_DIFFUSION_2 = unet_2d(
    "U-Net of Stable Diffusion 2 (diffusers)",
    (
        "stabilityai/stable-diffusion-2-1: unet/diffusion_pytorch_model.safetensors",
        "stabilityai/stable-diffusion-2-1-base: unet/diffusion_pytorch_model.safetensors",
    ),
    projection="o i -> i o",
)
"""`systems.stable_diffusion.unet_2()`."""
