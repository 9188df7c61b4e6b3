"""Layouts of Stable Diffusion's autoencoder: diffusers."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule, convolution, dense, norm


def block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A residual block of diffusers: `nn.AdditiveBlock`."""
    return (
        *norm(f"{foreign}.norm1", f"{ours}/norm_0"),
        *convolution(f"{foreign}.conv1", f"{ours}/convolution_0"),
        *norm(f"{foreign}.norm2", f"{ours}/norm_1"),
        *convolution(f"{foreign}.conv2", f"{ours}/convolution_1"),
    )


def shortcut(foreign: str, ours: str) -> tuple[Rule, ...]:
    """The skip connection of residual blocks that change the width."""
    return convolution(f"{foreign}.conv_shortcut", f"{ours}/skip", "o i 1 1 -> i o")


def _side(name: str, attention: tuple[str, str, str, str]) -> tuple[Rule, ...]:
    *qkv, out = (f"{name}.mid_block.attentions.0.{part}" for part in attention)
    return (
        *convolution(f"{name}.conv_in", f"{name}/input"),
        *block(f"{name}.mid_block.resnets.{{j}}", f"{name}/middle/block_{{j}}"),
        *norm(f"{name}.mid_block.attentions.0.group_norm", f"{name}/middle/norm"),
        *dense(tuple(qkv), f"{name}/middle/qkv"),
        *dense(out, f"{name}/middle/out"),
        *norm(f"{name}.conv_norm_out", f"{name}/output_norm"),
        *convolution(f"{name}.conv_out", f"{name}/output"),
    )


def _layout(name: str, files: tuple[str, ...], attention: tuple[str, str, str, str]) -> Layout:
    down, up = "encoder.down_blocks.{i}", "decoder.up_blocks.{i}"
    return Layout(
        name=name,
        files=files,
        rules=(
            *_side("encoder", attention),
            *block(f"{down}.resnets.{{j}}", "encoder/block_{i}_{j}"),
            *shortcut(f"{down}.resnets.{{j}}", "encoder/block_{i}_{j}"),
            *convolution(f"{down}.downsamplers.0.conv", "encoder/halving_{i}/Conv_0"),
            *convolution("quant_conv", "encoder/moments", "o i 1 1 -> i o"),
            *convolution("post_quant_conv", "decoder/latents", "o i 1 1 -> i o"),
            *_side("decoder", attention),
            *block(f"{up}.resnets.{{j}}", "decoder/block_{i}_{j}"),
            *shortcut(f"{up}.resnets.{{j}}", "decoder/block_{i}_{j}"),
            *convolution(f"{up}.upsamplers.0.conv", "decoder/doubling_{i}/Conv_0"),
        ),
    )


AUTOENCODER_KL = _layout("AutoencoderKL (diffusers)", (), ("to_q", "to_k", "to_v", "to_out.0"))
"""`models.AutoencoderKL()`, as diffusers saves it."""

AUTOENCODER_KL_2022 = _layout(
    "AutoencoderKL (diffusers before 0.15)",
    (
        "stable-diffusion-v1-5/stable-diffusion-v1-5: vae/diffusion_pytorch_model.safetensors",
        "stabilityai/stable-diffusion-2-1: vae/diffusion_pytorch_model.safetensors",
        "stabilityai/sd-vae-ft-mse: diffusion_pytorch_model.safetensors",
    ),
    ("query", "key", "value", "proj_attn"),
)
"""`models.AutoencoderKL()`, as the published files name it."""
