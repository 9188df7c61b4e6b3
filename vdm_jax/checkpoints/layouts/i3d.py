"""Layouts of I3D: TensorFlow, piergiaj's port (VideoGPT, TATS) and hassony2's (StyleGAN-V)."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule, batch_norm

STEM = {"1a": "Conv3d_1a_7x7", "2b": "Conv3d_2b_1x1", "2c": "Conv3d_2c_3x3"}
BLOCKS = ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
BRANCHES = {
    # ours: TensorFlow's, piergiaj's, hassony2's
    "0": ("Branch_0/Conv3d_0a_1x1", "b0", "branch_0"),
    "1a": ("Branch_1/Conv3d_0a_1x1", "b1a", "branch_1.0"),
    "1b": ("Branch_1/Conv3d_0b_3x3", "b1b", "branch_1.1"),
    "2a": ("Branch_2/Conv3d_0a_1x1", "b2a", "branch_2.0"),
    "2b": ("Branch_2/Conv3d_0b_3x3", "b2b", "branch_2.1"),
    "3": ("Branch_3/Conv3d_0b_1x1", "b3b", "branch_3.1"),
}
KERNEL = "o i f h w -> f h w i o"


def _tensorflow(statistics: str) -> tuple[Rule, ...]:
    """statistics: einops pattern of the batch norms."""
    top = "RGB/inception_i3d"
    units = {f"convolution_{ours}": theirs for ours, theirs in STEM.items()}
    for block in BLOCKS:
        for branch, (theirs, _, _) in BRANCHES.items():
            if (block, branch) == ("5b", "2b"):  # an irregular name in the checkpoints
                theirs = "Branch_2/Conv3d_0a_3x3"
            units[f"mixed_{block}/branch_{branch}"] = f"Mixed_{block}/{theirs}"
    rules = []
    for ours, theirs in units.items():
        norm = f"{top}/{theirs}/batch_norm"
        rules += [
            Rule(f"{top}/{theirs}/conv_3d/w", f"{ours}/kernel", "f h w i o -> f h w i o"),
            Rule(f"{norm}/beta", f"{ours}/norm/bias", statistics),
            Rule(f"{norm}/moving_mean", f"{ours}/norm/mean", statistics),
            Rule(f"{norm}/moving_variance", f"{ours}/norm/variance", statistics),
        ]
    logits = f"{top}/Logits/Conv3d_0c_1x1/conv_3d"
    return (
        *rules,
        Rule(f"{logits}/w", "logits/kernel", "1 1 1 i o -> i o"),
        Rule(f"{logits}/b", "logits/bias"),
    )


def _torch(port: int, norm: str, logits: str) -> tuple[Rule, ...]:
    """port: index of the names in `BRANCHES`; norm, logits: names of these layers."""
    lower = str.lower if port == 2 else str
    units = {f"convolution_{ours}": lower(theirs) for ours, theirs in STEM.items()}
    for block in BLOCKS:
        for branch, names in BRANCHES.items():
            units[f"mixed_{block}/branch_{branch}"] = f"{lower(f'Mixed_{block}')}.{names[port]}"
    rules = []
    for ours, theirs in units.items():
        rules.append(Rule(f"{theirs}.conv3d.weight", f"{ours}/kernel", KERNEL))
        rules += batch_norm(f"{theirs}.{norm}", f"{ours}/norm")
    return (
        *rules,
        Rule(f"{logits}.conv3d.weight", "logits/kernel", "o i 1 1 1 -> i o"),
        Rule(f"{logits}.conv3d.bias", "logits/bias"),
    )


I3D_TENSORFLOW = Layout(
    "I3D (TensorFlow checkpoint)",
    _tensorflow("c -> c"),
    files=("google-deepmind/kinetics-i3d: data/checkpoints/rgb_scratch/model.ckpt",),
)
"""`models.I3D()`, as in DeepMind's repository."""

I3D_TENSORFLOW_HUB = Layout(
    "I3D (TensorFlow Hub)",
    _tensorflow("1 1 1 1 c -> c"),
    files=("deepmind/i3d-kinetics-400/1: variables/variables",),
)
"""`models.I3D()`, as on TensorFlow Hub: the same numbers, statistics with five axes."""

I3D_PIERGIAJ = Layout(
    "I3D (piergiaj's PyTorch port)",
    _torch(1, "bn", "logits"),
    files=("SongweiGe/TATS: tats/fvd/i3d_pretrained_400.pt",),
    ignored=("*.num_batches_tracked",),
)
"""`models.I3D.ported()`, as in VideoGPT, TATS, DIGAN, PVDM and LVDM."""

I3D_HASSONY2 = Layout(
    "I3D (hassony2's PyTorch port)",
    _torch(2, "batch3d", "conv3d_0c_1x1"),
    files=("universome/stylegan-v: i3d_torchscript.pt",),
    ignored=("*.num_batches_tracked", "CONSTANTS.*"),
)
"""`models.I3D.ported(1e-3)`, as in the TorchScript archive of StyleGAN-V's FVD."""
